"""The running campaign against its plan: findings, each with a proposal that can be accepted."""
