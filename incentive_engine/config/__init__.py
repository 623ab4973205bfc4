"""Policies and scenarios: what planners write, checked."""

from incentive_engine.config.loading import (
    check_file,
    load_document,
    load_policy,
    locate,
    policy_from_mapping,
)
from incentive_engine.config.schema import Policy

__all__ = [
    "Policy",
    "check_file",
    "load_document",
    "load_policy",
    "locate",
    "policy_from_mapping",
]
