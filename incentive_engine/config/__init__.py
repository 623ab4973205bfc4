"""Policies and scenarios: what planners write, checked."""

from incentive_engine.config.document.loading import (
    load_document,
    load_policy,
    policy_from_mapping,
)
from incentive_engine.config.policy import Policy

__all__ = [
    "Policy",
    "load_document",
    "load_policy",
    "policy_from_mapping",
]
