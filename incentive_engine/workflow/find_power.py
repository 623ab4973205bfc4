"""Says which effects a holdout or a further trial would show."""

from __future__ import annotations

from pathlib import Path

from incentive_engine.config.amounts import parse_amount
from incentive_engine.data.scores import read_scores
from incentive_engine.errors import ConfigError, Fault
from incentive_engine.insight.budget.policy_options import BudgetOptions, read_policy
from incentive_engine.language import message_of, say
from incentive_engine.measurement.power import Power, conversion_rate, power_of_sizes
from incentive_engine.pipeline.campaign import campaign_inputs
from incentive_engine.pipeline.steps import Progress, Steps, quiet
from incentive_engine.uplift.diagnosis.verdicts import acceptable
from incentive_engine.uplift.model_files import read_evaluation


def power(
    policy_file: Path | None,
    *,
    budget: str | None,
    holdouts: tuple[float, ...],
    trials: tuple[int, ...],
    progress: Progress = quiet,
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
    inputs = campaign_inputs(policy, Steps(progress), accepted=acceptable())
    table = read_scores(inputs.scores, policy)
    assert inputs.model is not None
    base = conversion_rate(read_evaluation(inputs.model))
    return power_of_sizes(policy, table, base=base, holdouts=holdouts, trials=trials)


def shares(text: str) -> tuple[float, ...]:
    """Read shares as planners write them.

    >>> shares("0.05,10%")
    (0.05, 0.1)

    Raises
    ------
    ConfigError
        When a part is no number.
    """
    return tuple(_number(share, "--holdout") for share in text.split(","))


def sizes(text: str) -> tuple[int, ...]:
    """Read numbers of rows as planners write amounts.

    >>> sizes("50k,1m")
    (50000, 1000000)

    Raises
    ------
    ConfigError
        When a part is no number.
    """
    return tuple(int(_number(size, "--trial")) for size in text.split(","))


def _number(text: str, option: str) -> float:
    try:
        if text.strip().endswith("%"):
            return float(text.strip()[:-1]) / 100
        return parse_amount(text.strip())
    except ValueError as error:
        raise ConfigError(Fault(option, message_of(error))) from None


def _check(holdouts: tuple[float, ...], trials: tuple[int, ...], *, arms: int) -> None:
    faults = [
        Fault(
            "--holdout", say("{share:g} is no share", share=share), "more than 0 and less than 1"
        )
        for share in holdouts
        if not 0 < share < 1
    ]
    faults += [
        Fault(
            "--trial",
            say("{rows} rows are too few", rows=rows),
            say("at least {least} for {arms} arms", least=2 * arms, arms=arms),
        )
        for rows in trials
        if rows < 2 * arms
    ]
    if faults:
        raise ConfigError(*faults)
