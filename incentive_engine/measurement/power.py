"""Which effects a holdout or a further trial would show, and what a holdout costs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from incentive_engine.allocation.build import build_problem
from incentive_engine.allocation.plans.plan import solve
from incentive_engine.allocation.problem import Problem
from incentive_engine.config.policy import Policy
from incentive_engine.data.scores import ScoreTable, holdout_of
from incentive_engine.domain import CONVERSION, COST
from incentive_engine.language import Code, Message, Text, language, say
from incentive_engine.language.terminal_text import aligned
from incentive_engine.stats.power import POWER, detectable_effect, power_of


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldoutPower:
    """What one size of holdout shows and costs.

    Attributes
    ----------
    holdout, held_out
        The share, and the users that it is.
    detectable
        Difference in conversion rate between the rest and the holdout that a two-sided test at
        5 % finds with a power of 80 %; infinite where none is.
    expected
        The difference that the plan should make, by the scores.
    power
        The probability to find that one.
    not_won
        Conversions that the plan without a holdout wins beyond this one, by the scores.
    """

    holdout: float
    held_out: int
    detectable: float
    expected: float
    power: float
    not_won: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialPower:
    """The effect of one offer that a trial shows, its arms being equal.

    Attributes
    ----------
    rows, per_arm
        Of the trial, and of each arm.
    detectable
        Added probability of conversion, found with a power of 80 %; infinite where none is.
    not_won
        Conversions that the plan without a holdout wins among as many users of the campaign
        beyond what offers by lot win, by the scores; negative where these win more.
    cost
        What the offers dealt out by lot are expected to cost, currency units.
    """

    rows: int
    per_arm: int
    detectable: float
    not_won: float
    cost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """Holdouts and trials, for one campaign."""

    users: int
    base: float
    """Conversion rate without offers, by the trial's control arm."""
    holdouts: tuple[HoldoutPower, ...]
    trials: tuple[TrialPower, ...]

    def to_json(self) -> str:
        """Return the figures for programs."""
        content = {"significance": POWER.significance, **asdict(self)}
        for row in (*content["holdouts"], *content["trials"]):
            if math.isinf(row["detectable"]):
                row["detectable"] = None
        return json.dumps(content, indent=2, allow_nan=False)

    def to_text(self, lang: Code = "en") -> str:
        """Return the figures for people."""
        t = language(lang)
        head = say("power.head", users=self.users, base=self.base, significance=POWER.significance)
        holdout_columns = ("holdout", "users", "shows", "effect", "power", "not_won")
        holdouts: list[tuple[Text, ...]] = [
            tuple(say(f"power.{name}") for name in holdout_columns),
            *(
                (
                    f"{row.holdout:.1%}",
                    f"{row.held_out:,}",
                    _points(row.detectable),
                    _points(row.expected),
                    f"{row.power:.0%}",
                    f"{row.not_won:,.1f}",
                )
                for row in self.holdouts
            ),
        ]
        trial_columns = ("trial", "per_arm", "shows", "cost", "not_won")
        trials: list[tuple[Text, ...]] = [
            tuple(say(f"power.{name}") for name in trial_columns),
            *(
                (
                    f"{row.rows:,}",
                    f"{row.per_arm:,}",
                    _points(row.detectable),
                    f"{row.cost:,.0f}",
                    f"{row.not_won:,.1f}",
                )
                for row in self.trials
            ),
        ]
        tables = (line for table in (holdouts, trials) for line in aligned(t, table, left=0))
        return "\n".join([t.say(head), *tables])


def conversion_rate(evaluation: Mapping[str, Any]) -> float:
    """Return the share of buyers without an offer, by the evaluation of a model."""
    return float(evaluation["trial"]["arms"][0]["rate"])


def power_of_sizes(
    policy: Policy,
    table: ScoreTable,
    *,
    base: float,
    holdouts: tuple[float, ...],
    trials: tuple[int, ...],
) -> Power:
    """Return what holdouts of these shares, and trials of these sizes, would show.

    Parameters
    ----------
    base
        Conversion rate without offers.
    """
    everybody = policy.model_copy(update={"holdout": None})
    most = _conversions(everybody, table)
    lot = _by_lot(build_problem(everybody, table, holdout_of(everybody, table)), table)
    return Power(
        users=table.n_users,
        base=base,
        holdouts=tuple(_holdout(policy, table, share, base=base, most=most) for share in holdouts),
        trials=tuple(
            _trial(rows, len(policy.offers) + 1, lot, base=base, planned=most / table.n_users)
            for rows in trials
        ),
    )


def _holdout(
    policy: Policy, table: ScoreTable, share: float, *, base: float, most: float
) -> HoldoutPower:
    tried = policy.model_copy(update={"holdout": share})
    held_out = int(holdout_of(tried, table).sum())
    others = table.n_users - held_out
    won = _conversions(tried, table)
    expected = won / max(others, 1)
    return HoldoutPower(
        holdout=share,
        held_out=held_out,
        detectable=detectable_effect(base, others, held_out),
        expected=expected,
        power=power_of(base, expected, others, held_out),
        not_won=most - won,
    )


def _trial(
    rows: int, arms: int, lot: Mapping[str, float], *, base: float, planned: float
) -> TrialPower:
    """Return what a trial of so many rows shows and costs.

    Parameters
    ----------
    lot
        Conversions and cost of a user that gets one of the offers by lot, see `_by_lot`.
    planned
        Conversions per user that the plan without a holdout wins.
    """
    per_arm = rows // arms
    # all arms but the control get something
    treated = per_arm * (arms - 1)
    return TrialPower(
        rows=rows,
        per_arm=per_arm,
        detectable=detectable_effect(base, per_arm, per_arm),
        not_won=planned * per_arm * arms - lot[CONVERSION] * treated,
        cost=lot[COST] * treated,
    )


def _by_lot(problem: Problem, table: ScoreTable) -> dict[str, float]:
    """Return the mean of measures over all users and offers, those out of reach counted as 0."""
    eligible = np.isfinite(problem.value)
    return {
        name: float(
            np.mean(
                [
                    np.where(eligible[place], table.measure(name, offer), 0.0).mean(
                        dtype=np.float64
                    )
                    for place, offer in enumerate(table.offers)
                ]
            )
        )
        for name in (CONVERSION, COST)
    }


def _points(effect: float) -> Message:
    """Return an effect in percentage points, or that none is found."""
    return say("power.nothing") if math.isinf(effect) else say("power.points", points=100 * effect)


def _conversions(policy: Policy, table: ScoreTable) -> float:
    """Return the incremental conversions of the best plan, by the scores."""
    choice = solve(build_problem(policy, table, holdout_of(policy, table))).choice
    won = 0.0
    for index, offer in enumerate(table.offers):
        won += float(np.sum(table.measure(CONVERSION, offer)[choice == index]))
    return won
