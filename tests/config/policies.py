"""A small correct policy, and how to change one thing about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from incentive_engine.config.document.loading import load_policy
from incentive_engine.config.policy import Policy
from incentive_engine.errors import ConfigError

CORRECT = """\
version: 1
name: small
offers:
  - {id: off10, face_value: 10, min_spend: 99, ladder: platform}
  - {id: off20, face_value: 20}
objective:
  maximise: conversion
  weight:
    - {column: tier, values: {88VIP: 3}}
    - {column: spend_12m, power: 0.25}
eligibility:
  - {offers: [off20], where: {tier: 88VIP}}
limits:
  - {name: floor, sum: cost, where: {tier: 88VIP}, at_least: 25%}
  - {name: region cap, sum: cost, for_each: region, at_most: 7%}
  - {name: roi, ratio: [spend, cost], at_least: 1.5}
budget: {amount: 200k}
holdout: 0.05
"""


def write(folder: Path, text: str | bytes) -> Path:
    """Write a policy file and return its path."""
    path = folder / "plan.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def changed(old: str, new: str) -> str:
    """Return the correct policy with one piece replaced."""
    assert CORRECT.count(old) == 1
    return CORRECT.replace(old, new)


def load(folder: Path, text: str, *set_values: str) -> Policy:
    """Write and read a policy that must be correct."""
    return load_policy(write(folder, text), set_values=set_values)


def faults(folder: Path, text: str | bytes, *set_values: str) -> list[str]:
    """Write and read a policy that must be wrong; return the messages without the folder."""
    path = write(folder, text)
    with pytest.raises(ConfigError) as caught:
        load_policy(path, set_values=set_values)
    return [str(fault).replace(f"{folder}/", "") for fault in caught.value.faults]
