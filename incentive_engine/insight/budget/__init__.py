"""What a budget does: the options of a policy, the mandate, the study and the response."""
