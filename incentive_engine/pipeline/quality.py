"""What is known of a model and of the trial behind it, kept beside the model."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from incentive_engine.config.policy import Budget, Policy
from incentive_engine.language import Message
from incentive_engine.run.format import RunFile
from incentive_engine.uplift.diagnosis.verdicts import CheckVerdict, Diagnosis
from incentive_engine.uplift.model_files import read_evaluation


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelQuality:
    """What a run should know of its model.

    Attributes
    ----------
    checks
        Of the trial, before the model was fitted, and of the users against it.
    cost_error
        Relative standard error of the model's total cost; None where it was not measured.
    evaluation
        All of ``evaluation.json``.
    """

    checks: tuple[CheckVerdict, ...]
    cost_error: float | None
    evaluation: Mapping[str, Any]

    @property
    def warnings(self) -> tuple[Message, ...]:
        """Those of the checks that a planner should read."""
        return tuple(check.message for check in self.checks if check.verdict != "fine")


def write_quality(
    directory: Path,
    diagnosis: Diagnosis,
    evaluation: Mapping[str, Any],
    drivers: Mapping[str, list[dict[str, Any]]],
    history: Mapping[str, Any] | None = None,
) -> None:
    """Write what was found out into a directory, which may become a model's.

    Parameters
    ----------
    evaluation
        `ModelEvaluation` as a dictionary.
    history
        What history features add; None without history.
    """
    text = evaluation_text(diagnosis, evaluation, drivers, history)
    (directory / RunFile.EVALUATION).write_text(text + "\n", encoding="utf-8")


def evaluation_text(
    diagnosis: Diagnosis,
    evaluation: Mapping[str, Any],
    drivers: Mapping[str, list[dict[str, Any]]],
    history: Mapping[str, Any] | None = None,
) -> str:
    """Return the content of a model's ``evaluation.json``."""
    content = {"trial": diagnosis.to_dict(), **evaluation, "drivers": drivers}
    if history is not None:
        content["history"] = history
    return json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False)


def read_quality(model: Path | None, drift: Path | None = None) -> ModelQuality | None:
    """Return what is known of a saved model; None where there is none, or nothing is known.

    Parameters
    ----------
    drift
        How the users differ from the trial, as `campaign.drift_into` writes it.
    """
    content = read_evaluation(model) if model is not None else {}
    if not content:
        return None
    moved = json.loads(drift.read_text(encoding="utf-8")) if drift else {"findings": []}
    return quality_of(content, moved["findings"])


def quality_of(
    content: Mapping[str, Any], moved: Sequence[Mapping[str, Any]] = ()
) -> ModelQuality:
    """Return what is known of a model, by the content of its ``evaluation.json``.

    Parameters
    ----------
    moved
        The findings about users who differ from the trial.
    """
    findings = (*content["trial"]["findings"], *moved)
    return ModelQuality(
        checks=tuple(CheckVerdict.from_dict(finding) for finding in findings),
        cost_error=content["cost"]["relative_error"],
        evaluation=content,
    )


def model_cost_error(
    policy: Policy, quality: ModelQuality | None, selection: float = 0.0
) -> float | None:
    """Return the relative error of a plan's cost that a model predicts.

    None where nothing changes: the budget is not at risk, the planner states an error, or the
    scores come from no model.

    Parameters
    ----------
    selection
        Relative error of what the choice of users adds to their costs.
    """
    budget = policy.budget
    if budget is None or budget.basis != "at-risk" or budget.cost_error is not None:
        return None
    error = math.hypot(total_error(policy, quality), selection)
    # an equal error changes nothing, and the manifest need not state it
    return None if error == budget.forecast_error else error


def total_error(policy: Policy, quality: ModelQuality | None) -> float:
    """Return the relative standard error of a total cost, whatever must fit into the budget.

    The season's error and the model's own are independent; what the planner states holds alone.
    """
    budget = policy.budget
    if budget is None:
        return Budget.SEASON_ERROR
    if budget.cost_error is not None or quality is None or quality.cost_error is None:
        return budget.forecast_error
    return math.hypot(budget.forecast_error, quality.cost_error)
