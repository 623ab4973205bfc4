"""An evaluation as tables: one row per offer, group of users, budget and check."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from incentive_engine.data.tables.frames import write_table
from incentive_engine.uplift.diagnosis.verdicts import Diagnosis
from incentive_engine.uplift.evaluation.evaluation import ModelEvaluation


def write_tables(directory: Path, evaluation: ModelEvaluation, diagnosis: Diagnosis) -> None:
    """Write ``offers.csv``, ``calibration.csv``, ``curve.csv`` and ``checks.csv``."""
    for name, table in evaluation_tables(evaluation, diagnosis).items():
        write_table(table, directory / f"{name}.csv")


def evaluation_tables(
    evaluation: ModelEvaluation, diagnosis: Diagnosis
) -> dict[str, pd.DataFrame]:
    """Return an evaluation as tables: ``offers``, ``calibration``, ``curve`` and ``checks``.

    Effects are per user, costs in currency units; ``_low`` and ``_high`` are 95 % intervals.
    """
    content = evaluation.to_dict()
    lists = ("effect_groups", "cost_groups")
    offers = [{k: v for k, v in offer.items() if k not in lists} for offer in content["offers"]]
    groups = [
        {"offer": offer["offer"], "of": kind.partition("_")[0], **group}
        for offer in content["offers"]
        for kind in lists
        for group in offer[kind]
    ]
    tables = {
        "offers": offers,
        "calibration": groups,
        "curve": list(content["curve"]["points"]),
        "checks": [_in_words(finding) for finding in diagnosis.to_dict()["findings"]],
    }
    return {name: pd.DataFrame([_flat(row) for row in rows]) for name, rows in tables.items()}


def _in_words(finding: Mapping[str, Any]) -> dict[str, Any]:
    """Return a finding without the messages that its words come from."""
    return {name: value for name, value in finding.items() if name != "messages"}


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return estimates as columns of their own: name, name_low, name_high, name_se."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if not isinstance(value, Mapping):
            flat[name] = value
            continue
        flat[name] = value["estimate"]
        flat[f"{name}_low"], flat[f"{name}_high"] = value["low"], value["high"]
        flat[f"{name}_se"] = value["standard_error"]
    return flat
