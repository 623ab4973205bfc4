"""Problems of any size and scale, made from a seed."""

from __future__ import annotations

import numpy as np

from incentive_engine.allocation.limits import LinearLimit, ratio_limits, sum_limit
from incentive_engine.allocation.problem import Problem
from incentive_engine.domain import FloatArray


def draw_wild(seed: int, *, most: int = 1_500) -> Problem:
    """Return up to `most` users under limits of all kinds.

    Costs and values are of any scale, narrow or wide, rounded or not, free or without value.
    """
    rng = np.random.default_rng(seed)
    n, k = int(np.exp(rng.uniform(0, np.log(most)))), int(rng.integers(1, 9))
    cells = int(rng.choice([1, 3, 12, 60]))
    cost = _amounts(rng, k, n)
    value = _amounts(rng, k, n) * np.where(rng.random((k, n)) < rng.choice([0, 0.3, 1]), -1, 1)
    spend = cost * rng.lognormal(0.5, 1.0, (k, n))
    value[rng.random((k, n)) < rng.choice([0.0, 0.2, 0.9])] = -np.inf
    forced = bool(rng.random() < 0.2)
    if forced:
        value[0, (value == -np.inf).all(axis=0)] = 0.0
    dtype = np.float32 if rng.random() < 0.5 else np.float64
    return Problem(
        offers=tuple(f"o{j}" for j in rng.permutation(k)),
        value=value.astype(dtype),
        measures=("cost", "spend"),
        columns=np.stack([cost, spend]).astype(dtype),
        face=np.round(rng.gamma(2.0, 5.0, k), 2),
        cell=rng.integers(0, cells, n).astype(np.uint16),
        n_cells=cells,
        limits=_limits(rng, cost, cells=cells),
        exactly_one=forced,
    )


def _amounts(rng: np.random.Generator, k: int, n: int) -> FloatArray:
    """Return (k, n) amounts ≥ 0 of one of several distributions."""
    unit = 10.0 ** rng.integers(-2, 3)
    kind = rng.integers(4)
    if kind == 0:
        amounts = rng.gamma(2.0, 2.0, (k, n))
    elif kind == 1:
        amounts = 10.0 ** rng.uniform(-2.0, 3.0, (k, n))
    elif kind == 2:
        amounts = rng.integers(0, 4, (k, n)) / 4.0
    else:
        amounts = np.ones((k, n)) * rng.integers(1, 5, (k, 1))
    return np.asarray(unit * amounts * (rng.random((k, n)) > 0.05), dtype=np.float64)


def _limits(rng: np.random.Generator, cost: FloatArray, *, cells: int) -> tuple[LinearLimit, ...]:
    k, n = cost.shape
    money = round(float(rng.choice([0.01, 0.2, 0.5, 1.5])) * float(cost.mean()) * n, 6)
    limits: list[LinearLimit] = []
    if rng.random() < 0.9:
        limits.append(sum_limit("budget", "cost", at_most=money))
    for r in range(int(rng.integers(4))):
        own, share = np.arange(cells) % 4 == r, float(rng.uniform(0.05, 0.6))
        limits.append(sum_limit(f"cap {r}", "cost", at_most=round(share * money, 6), cells=own))
        if rng.random() < 0.4:
            low = round(0.4 * share * money, 6)
            limits.append(sum_limit(f"floor {r}", "cost", at_least=low, cells=own))
    for j in range(int(rng.integers(k + 1))):
        own, count = np.arange(k) == j, float(rng.integers(n + 1))
        limits.append(sum_limit(f"stock {j}", "issued", at_most=count, offers=own))
    if rng.random() < 0.2:
        least, most = sorted(rng.integers(0, n + 1, 2).tolist())
        limits.append(sum_limit("reach", "issued", at_least=least, at_most=most))
    if rng.random() < 0.3:
        ratio = round(float(rng.uniform(0.5, 3.0)), 2)
        limits += ratio_limits("roi", ("spend", "cost"), at_least=ratio)
    if rng.random() < 0.2:
        limits += ratio_limits("face", ("cost", "face"), at_least=0.05, at_most=50.0)
    return tuple(limits)
