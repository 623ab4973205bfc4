"""What was promised against what came."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from incentive_engine.config.policy import Policy
from incentive_engine.config.scenario import Strategy
from incentive_engine.domain import BoolArray
from incentive_engine.language import say
from incentive_engine.simulation.results.table import Draws
from incentive_engine.simulation.strategy.traits import TRAITS
from incentive_engine.stats.draws import share_interval


def promise_table(draws: Draws, policy: Policy) -> pd.DataFrame:
    """Return one row per promise, strategy and budget.

    The at-risk budget promises that real redemption stays within it with the policy's confidence;
    the stated gain promises that its interval covers the true gain. A promise is `broken` when
    the 95 % interval of the share of draws that kept it lies wholly below what was promised.
    """
    return promise_frame(_promises(draws, policy))


def promise_frame(promises: Iterable[tuple[object, ...]] = ()) -> pd.DataFrame:
    """Return promises as a table; none make an empty one."""
    columns = [
        "promise", "strategy", "budget", "promised", "kept", "kept_low", "kept_high", "trials",
        "mean_stated", "mean_true", "verdict",
    ]  # fmt: skip
    return pd.DataFrame(list(promises), columns=columns)


def _promises(draws: Draws, policy: Policy) -> Iterator[tuple[object, ...]]:
    budget = policy.budget
    for strategy in draws.scenario.strategies:
        if not TRAITS[strategy].states_gain:
            continue
        for b in range(len(draws.scenario.budgets)):
            if budget is not None and budget.basis == "at-risk":
                yield _at_risk(draws, strategy, b, confidence=budget.confidence)
            yield _gain(draws, strategy, b)


def _at_risk(draws: Draws, strategy: Strategy, b: int, *, confidence: float) -> tuple[object, ...]:
    amount = draws.scenario.budgets[b]
    cost = draws.each("cost", strategy, b)
    *found, verdict = _verdict(cost <= amount, draws, confidence)
    return (
        say("promise.at_risk"),
        strategy,
        amount,
        confidence,
        *found,
        amount,
        float(cost.mean()),
        verdict,
    )


def _gain(draws: Draws, strategy: Strategy, b: int) -> tuple[object, ...]:
    stated, low, high, true = (
        draws.each(name, strategy, b)
        for name in ("stated", "stated_low", "stated_high", "true_conversions")
    )
    # what the interval of the stated gain promises to cover
    coverage = 0.95
    *found, verdict = _verdict((low <= true) & (true <= high), draws, coverage)
    means = float(np.mean(stated)), float(np.mean(true))
    return (
        say("promise.gain"),
        strategy,
        draws.scenario.budgets[b],
        coverage,
        *found,
        *means,
        verdict,
    )


def _verdict(
    kept: BoolArray, draws: Draws, promised: float
) -> tuple[float, float, float, int, str]:
    """Return share, interval, draws and verdict; draws that share a trial count as one."""
    share = share_interval(float(kept.mean()), draws.independent)
    verdict = "broken" if share.high < promised else "kept"
    return share.value, share.low, share.high, draws.independent, verdict
