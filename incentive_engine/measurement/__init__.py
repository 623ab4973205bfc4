"""What a campaign brought, once it is over."""
