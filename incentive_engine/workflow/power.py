"""Which effects a holdout or a further trial would show, and what a holdout costs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from incentive_engine.allocation import build_problem, solve
from incentive_engine.config import Policy
from incentive_engine.config.amounts import parse_amount
from incentive_engine.data.scores import ScoreTable, read_scores
from incentive_engine.domain import CONVERSION
from incentive_engine.errors import ConfigError, Fault
from incentive_engine.uplift.power import SIGNIFICANCE, detectable_effect, power_of
from incentive_engine.uplift.saved import read_evaluation
from incentive_engine.workflow.findings import holdout_of
from incentive_engine.workflow.learning import campaign_inputs
from incentive_engine.workflow.policies import BudgetOptions, read_policy
from incentive_engine.workflow.steps import Steps


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldoutPower:
    """What one size of holdout shows and costs.

    Attributes
    ----------
    holdout, held_out
        The share, and the users that it is.
    detectable
        Difference in conversion rate between the rest and the holdout that a two-sided test at
        5 % finds with a power of 80 %.
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
        Added probability of conversion, found with a power of 80 %.
    """

    rows: int
    per_arm: int
    detectable: float


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
        content = {"significance": SIGNIFICANCE, **asdict(self)}
        return json.dumps(content, indent=2)

    def to_text(self) -> str:
        """Return the figures for people."""
        lines = [
            (
                f"{self.users:,} users; {self.base:.2%} convert without an offer; "
                f"two-sided test at {SIGNIFICANCE:.0%}, power 80 %"
            ),
            " holdout      users   shows from   plan's effect    power   conversions not won",
        ]
        lines += [
            f"{row.holdout:8.1%} {row.held_out:10,} {100 * row.detectable:9.2f} pt"
            f" {100 * row.expected:12.2f} pt {row.power:8.0%} {row.not_won:21,.1f}"
            for row in self.holdouts
        ]
        lines += ["   trial    per arm   shows an offer's effect from"]
        lines += [
            f"{row.rows:8,} {row.per_arm:10,} {100 * row.detectable:9.2f} pt"
            for row in self.trials
        ]
        return "\n".join(lines)


def power(
    policy_file: Path | None,
    *,
    budget: str | None,
    holdouts: tuple[float, ...],
    trials: tuple[int, ...],
) -> Power:
    """Return what holdouts of these shares, and trials of these sizes, would show.

    Raises
    ------
    ConfigError
        When a share is outside (0, 1), or a size below two rows per arm.
    InfeasibleError
        When no plan meets all limits.
    """
    policy = read_policy(policy_file, BudgetOptions(amount=budget), with_scores=False)
    _check(holdouts, trials, arms=len(policy.offers) + 1)
    inputs = campaign_inputs(policy, Steps())
    table = read_scores(inputs.scores, policy)
    assert inputs.model is not None
    base = _base(read_evaluation(inputs.model))
    most = _conversions(policy.model_copy(update={"holdout": None}), table)
    found = [_holdout(policy, table, share, base=base, most=most) for share in holdouts]
    per_arm = [rows // (len(policy.offers) + 1) for rows in trials]
    sizes = [
        TrialPower(rows=rows, per_arm=each, detectable=detectable_effect(base, each, each))
        for rows, each in zip(trials, per_arm, strict=True)
    ]
    return Power(users=table.n_users, base=base, holdouts=tuple(found), trials=tuple(sizes))


def shares(text: str) -> tuple[float, ...]:
    """Read shares as planners write them.

    >>> shares("0.05,10%")
    (0.05, 0.1)

    Raises
    ------
    ConfigError
        When a part is no number.
    """
    return tuple(_number(part, "--holdout") for part in text.split(","))


def sizes(text: str) -> tuple[int, ...]:
    """Read numbers of rows as planners write amounts.

    >>> sizes("50k,1m")
    (50000, 1000000)

    Raises
    ------
    ConfigError
        When a part is no number.
    """
    return tuple(int(_number(part, "--trial")) for part in text.split(","))


def _number(text: str, option: str) -> float:
    try:
        if text.strip().endswith("%"):
            return float(text.strip()[:-1]) / 100
        return parse_amount(text.strip())
    except ValueError as error:
        raise ConfigError(Fault(option, str(error))) from None


def _check(holdouts: tuple[float, ...], trials: tuple[int, ...], *, arms: int) -> None:
    faults = [
        Fault("--holdout", f"{share:g} is no share", "more than 0 and less than 1")
        for share in holdouts
        if not 0 < share < 1
    ]
    faults += [
        Fault("--trial", f"{rows} rows are too few", f"at least {2 * arms} for {arms} arms")
        for rows in trials
        if rows < 2 * arms
    ]
    if faults:
        raise ConfigError(*faults)


def _base(evaluation: Mapping[str, Any]) -> float:
    control = evaluation["trial"]["arms"][0]
    return float(control["conversions"] / control["rows"])


def _holdout(
    policy: Policy, table: ScoreTable, share: float, *, base: float, most: float
) -> HoldoutPower:
    tried = policy.model_copy(update={"holdout": share})
    held_out = int(holdout_of(tried, table).sum())
    rest = table.n_users - held_out
    won = _conversions(tried, table)
    expected = won / max(rest, 1)
    return HoldoutPower(
        holdout=share,
        held_out=held_out,
        detectable=detectable_effect(base, rest, held_out),
        expected=expected,
        power=power_of(base, expected, rest, held_out),
        not_won=most - won,
    )


def _conversions(policy: Policy, table: ScoreTable) -> float:
    """Return the incremental conversions of the best plan, by the scores."""
    choice = solve(build_problem(policy, table, holdout_of(policy, table))).choice
    won = 0.0
    for index, offer in enumerate(table.offers):
        won += float(np.sum(table.measure(CONVERSION, offer)[choice == index]))
    return won
