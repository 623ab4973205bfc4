"""Policies and scenarios: what planners write, checked."""

from incentive_engine.config.document.loading import (
    check_file,
    load_document,
    load_policy,
    locate,
    policy_from_mapping,
)
from incentive_engine.config.policy import Policy

__all__ = [
    "Policy",
    "check_file",
    "load_document",
    "load_policy",
    "locate",
    "policy_from_mapping",
]
