"""What a plan earned by the arms that its users really got in a trial."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from incentive_engine.config.policy import Policy
from incentive_engine.data.columns.frame_rows import places
from incentive_engine.data.row_checks import RowChecks, as_id, missing_columns
from incentive_engine.data.sources import read_table
from incentive_engine.data.trials.outcomes import offer_places
from incentive_engine.data.trials.trial import Trial
from incentive_engine.domain import USER_ID
from incentive_engine.errors import DataError, Fault
from incentive_engine.insight.evaluation.summary import thousand
from incentive_engine.language import Code, Text, language, say
from incentive_engine.language.terminal_text import aligned
from incentive_engine.stats.estimate import Estimate
from incentive_engine.uplift.doubly_robust.plan_value import compare_plans, plan_value
from incentive_engine.uplift.estimates import Estimates
from incentive_engine.uplift.model import estimate
from incentive_engine.uplift.storage import load_model


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialReplay:
    """A plan and the ways to do without it, valued on one trial; doubly robust."""

    rows: int
    """Rows of the trial that the plan decided on."""
    left_out: int
    """Rows of the trial that the plan does not know."""
    gains: Mapping[str, Mapping[str, Estimate]]
    """Way to measure to its gain per user against nobody getting anything."""
    differences: Mapping[str, Mapping[str, Estimate]]
    """Way to measure to the plan's gain minus the way's, paired by row."""
    weighted: Mapping[str, Estimate]
    """The plan's gain by inverse propensities alone: no model in it, but wider."""

    def to_dict(self) -> dict[str, Any]:
        """Return the content of ``evaluation.json``; per user of the trial."""
        return {
            "method": "doubly robust, by the arms that users got",
            "rows": self.rows,
            "left_out": self.left_out,
            "gain_against_nobody": _plain(self.gains),
            "plan_minus": _plain(self.differences),
            "inverse_propensity": _plain({"the plan": self.weighted}),
        }

    def to_text(self, lang: Code = "en") -> str:
        """Return a table for people: per 1,000 users, with 95 % intervals."""
        t = language(lang)
        lines = [t("evaluate.replay", rows=self.rows)]
        if self.left_out:
            lines.append(t("evaluate.left_out", rows=self.left_out))
        rows: list[tuple[Text, ...]] = []
        for title, ways in (("gain", self.gains), ("minus", self.differences)):
            rows += [
                (say(f"evaluate.{title}"), name, *_figures(measures))
                for name, measures in ways.items()
            ]
        rows.append((say("evaluate.gain"), say("evaluate.weights"), *_figures(self.weighted)))
        return "\n".join([*lines, *aligned(t, rows, left=len(rows[0]))])


def replay_plan(run: Path, log: Trial, policy: Policy, *, model: Path | None) -> TrialReplay:
    """Return what a plan earned by the arms that its users really got.

    Parameters
    ----------
    run
        A run directory, or any CSV or Parquet file with user_id and offer_id (empty or `control`:
        none).
    log
        A trial among its users.
    model
        A model that has not seen that trial; it narrows the intervals. None: arm means.

    Raises
    ------
    DataError
        When the plan names none of the trial's users, or the model learned from this trial.
    """
    choice = _choice(run, log, policy)
    is_planned = choice >= -1
    rows = _rows(log, is_planned)
    return _replay(
        rows, choice[is_planned], _nuisance(model, rows), left_out=int((~is_planned).sum())
    )


def _choice(run: Path, log: Trial, policy: Policy) -> npt.NDArray[np.int64]:
    """Return the plan's offer for each row of the trial, −1 none, −2 not in the plan."""
    user_id, offered = _plan(run, policy)
    place = places(log.person, user_id)
    choice = np.where(place < 0, -2, offered[place])
    if (choice == -2).all():
        raise DataError(
            Fault(str(run), "none of the trial's users is in the plan", "a trial among its users")
        )
    return choice


def _plan(run: Path, policy: Policy) -> tuple[pd.Series, npt.NDArray[np.int64]]:
    """Return the plan's users, each once, and the place of each one's offer, −1 for none."""
    file = run / "allocation.parquet" if run.is_dir() else run
    offer_id = "offer_id"
    table = read_table(file, [USER_ID, offer_id])
    lacking = missing_columns([USER_ID, offer_id], table.column_names, where=str(file))
    if lacking:
        raise DataError(*lacking)
    checks = RowChecks(where=str(file), user_id=table.column(USER_ID))
    checks.unique_ids()
    offered, is_unknown = offer_places(table.column(offer_id), policy.offer_ids)
    checks.refuse(
        is_unknown,
        say("`{offer_id}` is not in the policy", offer_id=offer_id),
        expected=say("one of {offers}", offers=", ".join(policy.offer_ids)),
    )
    checks.done()
    return as_id(table.column(USER_ID)).to_pandas(), offered


def _rows(log: Trial, known: npt.NDArray[np.bool_]) -> Trial:
    return replace(
        log,
        user_id=log.user_id[known].reset_index(drop=True),
        features=log.features[known].reset_index(drop=True),
        campaigns=None if log.campaigns is None else log.campaigns.take(known),
        **{
            name: getattr(log, name)[known]
            for name in ("arm", "conversion", "spend", "cost", "propensity")
        },
    )


def _nuisance(model: Path | None, trial: Trial) -> Estimates | None:
    if model is None:
        return None
    fitted = load_model(model)
    if fitted.facts.trial == trial.digest():
        remedy = "leave out --model, or name one that has not seen it"
        raise DataError(Fault(str(model), "learnt from this very trial", remedy=remedy))
    return estimate(fitted, trial.features, where="trial")


def _replay(
    trial: Trial, choice: npt.NDArray[np.int64], nuisance: Estimates | None, *, left_out: int
) -> TrialReplay:
    everyone = {
        f"everybody {offer}": np.full(len(choice), index)
        for index, offer in enumerate(trial.offers)
    }
    nobody, plan = np.full(len(choice), -1), "the plan"
    gains = compare_plans(trial, nuisance, {plan: choice, **everyone}, against=nobody)
    differences = {
        name: compare_plans(trial, nuisance, {plan: choice}, against=other)[plan]
        for name, other in everyone.items()
    }
    return TrialReplay(
        rows=len(choice),
        left_out=left_out,
        gains=gains,
        differences=differences,
        weighted=plan_value(trial, nuisance, choice).ipw,
    )


def _plain(ways: Mapping[str, Mapping[str, Estimate]]) -> dict[str, dict[str, dict[str, float]]]:
    return {
        way: {measure: gain.to_dict() for measure, gain in measures.items()}
        for way, measures in ways.items()
    }


def _figures(measures: Mapping[str, Estimate]) -> Iterator[Text]:
    for measure, gain in measures.items():
        yield measure
        yield thousand(gain)
