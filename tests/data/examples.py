"""A campaign of four users and twelve trial rows, small enough to check by hand."""

from pathlib import Path

import pandas as pd

from incentive_engine.config.document.loading import load_policy
from incentive_engine.config.policy import Policy

POLICY = """
version: 1
name: tiny
offers:
  - {id: off10, face_value: 10}
  - {id: vip50, face_value: 50}
objective:
  maximise: conversion
  weight:
    - {column: tier, values: {88VIP: 3}}
    - {column: spend_12m, power: 0.25}
eligibility:
  - {offers: [vip50], where: {tier: 88VIP}}
  - {offers: [off10], where: {spend_12m: {at_least: 1}}}
limits:
  - {name: region, sum: cost, for_each: region, at_most: 40%}
budget: {amount: 100}
holdout: 0
holdout_strata: [tier]
"""


def policy_of(directory: Path, text: str = POLICY) -> Policy:
    file = directory / "tiny.yaml"
    file.write_text(text, encoding="utf-8")
    return load_policy(file)


def users() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "user_id": ["a", "b", "c", "d"],
            "tier": ["88VIP", "silver", None, "regular"],
            "spend_12m": [9000.0, 200.0, 50.0, None],
            "region": ["Hebei", "Hunan", "Hubei", "Hunan"],
        }
    )


def scores() -> pd.DataFrame:
    return users().assign(
        conversion__off10=[0.01, 0.02, -0.01, 0.03],
        conversion__vip50=[0.05, 0.0, 0.0, 0.0],
        cost__off10=[0.5, 0.4, 0.3, 0.2],
        cost__vip50=[9.0, 0.0, 0.0, 0.0],
    )


def trial() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "user_id": [f"T{i}" for i in range(12)],
            "offer": ["control", "off10", "vip50"] * 4,
            "propensity": [0.5, 0.3, 0.2] * 4,
            "conversion": [0, 1, 1] * 4,
            "spend": [0.0, 120.0, 400.0] * 4,
            "cost": [0.0, 10.0, 50.0] * 4,
            "tier": ["88VIP", "silver", "regular"] * 4,
            "spend_12m": [float(i) for i in range(12)],
            "region": ["Hebei", "Hunan"] * 6,
        }
    )
