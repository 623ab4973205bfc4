"""Tiny problems with limits of every kind, and the best plan by trying all of them at once.

The best plan is found without any code of the allocation.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from itertools import product

import numpy as np
import numpy.typing as npt

from incentive_engine.allocation.limits import LinearLimit, ratio_limits, sum_limit
from incentive_engine.allocation.problem import BudgetPool, Problem
from incentive_engine.domain import MICROS, to_micros

CELLS = 3
EXACT = {"cost": MICROS, "face": MICROS, "issued": 1}


def draw_tiny(seed: int) -> Problem:
    """Return 1 to 6 users, 1 to 3 offers; numbers are rounded in two cases of three."""
    rng = np.random.default_rng(seed)
    n, k, rounding = int(rng.integers(1, 7)), int(rng.integers(1, 4)), int(rng.integers(3))
    value, spend = rng.normal(1.0, 1.0, (k, n)), rng.normal(6.0, 6.0, (k, n))
    cost = rng.gamma(2.0, 2.0, (k, n)) * (rng.random((k, n)) < 0.9)
    face = rng.gamma(2.0, 4.0, k)
    if rounding >= 1:
        face, spend = np.round(face) + 1, np.round(spend)
    if rounding == 2:
        value, cost = np.round(value * 4) / 4, np.round(cost * 2) / 2
    value[rng.random((k, n)) < 0.15] = -np.inf
    forced, holdout = bool(rng.random() < 0.3), rng.random(n) < 0.1
    if forced:
        value[0, (value == -np.inf).all(axis=0)] = -1.0
    value[:, holdout] = -np.inf
    face_basis = bool(rng.random() < 0.5)
    money = n * float(face.mean()) if face_basis else float(cost.sum()) / k
    amount = round(float(rng.uniform(0.05, 0.8)) * money, 1)
    return Problem(
        offers=tuple(f"o{j}" for j in rng.permutation(k)),
        value=value,
        measures=("cost", "spend"),
        columns=np.stack([cost, spend]),
        face=face,
        cell=rng.integers(0, CELLS, n).astype(np.uint16),
        n_cells=CELLS,
        limits=draw_some_limits(rng, n=n, k=k, amount=amount, face_basis=face_basis),
        exactly_one=forced,
        holdout=holdout,
        pool=BudgetPool(amount=amount, basis="face" if face_basis else "expected"),
    )


def draw_some_limits(
    rng: np.random.Generator, *, n: int, k: int, amount: float, face_basis: bool
) -> tuple[LinearLimit, ...]:
    """Return a budget in most cases, and some floors, caps of a share, stocks and ratios."""
    cells = np.arange(CELLS) == rng.integers(CELLS)
    offers = np.arange(k) == rng.integers(k)

    def of(low: float, high: float) -> float:
        return round(float(rng.uniform(low, high)) * amount, 2)

    basis = "face" if face_basis else "cost"
    low = of(0.0, 0.8)
    kinds: list[tuple[float, Callable[[], tuple[LinearLimit, ...]]]] = [
        (0.7, lambda: (sum_limit("budget", basis, at_most=amount),)),
        (0.4, lambda: (sum_limit("cost floor", "cost", at_least=of(0.05, 0.9), cells=cells),)),
        (0.3, lambda: (sum_limit("face share", "face", at_most=of(0.2, 0.9), cells=cells),)),
        (0.2, lambda: (sum_limit("faces", "face", at_least=of(0.1, 0.7), offers=offers),)),
        (
            0.2,
            lambda: (
                sum_limit("stock", "issued", at_most=float(rng.integers(n + 1)), offers=offers),
            ),
        ),
        (0.2, lambda: (sum_limit("reach", "issued", at_least=float(rng.integers(n + 1))),)),
        (0.3, lambda: ratio_limits("roi", ("spend", "cost"), at_least=rng.choice([0.5, 1.1, 3]))),
        (0.2, lambda: ratio_limits("low roi", ("spend", "cost"), at_most=3.0, cells=cells)),
        (0.2, lambda: ratio_limits("burn", ("cost", "face"), at_least=0.2, at_most=0.9)),
        (
            0.2,
            lambda: ratio_limits(
                "part", ("cost", "cost"), at_least=0.2, at_most=0.7, cells=cells, of_plan=True
            ),
        ),
        (
            0.1,
            lambda: ratio_limits(
                "issues", ("issued", "issued"), at_most=0.5, offers=offers, of_plan=True
            ),
        ),
        (0.2, lambda: (sum_limit("range", "cost", at_least=low, at_most=low + of(0, 0.3)),)),
        (0.1, lambda: (sum_limit("sales", "spend", at_least=of(0.0, 2.0), cells=cells),)),
    ]
    drawn = [make for chance, make in kinds if rng.random() < chance]
    return tuple(limit for make in drawn or [kinds[0][1]] for limit in make())


def best_of_all(problem: Problem) -> float | None:
    """Return the value of the best of all (k+1)^n plans, None when none keeps the limits."""
    n, k = problem.n_users, len(problem.offers)
    plans = np.array(list(product(range(k + 1), repeat=n)), dtype=np.int64)
    at = np.arange(n)
    value = np.vstack([problem.value.astype(np.float64), np.zeros(n)])[plans, at].sum(axis=1)
    keeps = value > -np.inf
    if problem.exactly_one:
        free = np.zeros(n, bool) if problem.holdout is None else problem.holdout
        keeps &= ((plans < k) | free).all(axis=1)
    for limit in problem.enforced:
        usage, unit = _usage(problem, limit)
        used = np.vstack([usage, np.zeros(n, usage.dtype)])[plans, at]
        keeps &= _within(limit, used, unit)
    return float(value[keeps].max()) if keeps.any() else None


def _within(limit: LinearLimit, used: npt.NDArray[np.generic], unit: int) -> npt.NDArray[np.bool_]:
    """Return (plans,) whether their sums keep a limit: exactly, or to 1e-9 where unit is 0."""
    low, high = limit.at_least, limit.at_most
    total = used.sum(axis=1)
    within = np.ones(len(total), dtype=bool)
    if unit:
        if high is not None:
            within &= total <= math.floor(Decimal(repr(float(high))) * unit)
        if low is not None:
            within &= total >= math.ceil(Decimal(repr(float(low))) * unit)
        return within
    sizes = [abs(bound) for bound in (low, high) if bound is not None]
    slack = 1e-9 * np.maximum(np.abs(used).sum(axis=1), min(sizes))
    if high is not None:
        within &= total <= high + slack
    if low is not None:
        within &= total >= low - slack
    return within


def _usage(problem: Problem, limit: LinearLimit) -> tuple[npt.NDArray[np.generic], int]:
    """Return (k, n) what each pair uses, in integers where the unit is not 0."""
    usage = _amounts(problem, limit.terms)
    if limit.cells is not None:
        usage *= limit.cells[problem.cell]
    if limit.offers is not None:
        usage *= limit.offers[:, None]
    usage += _amounts(problem, limit.everywhere)
    single = len(limit.terms) == 1 and limit.terms[0][1] == 1.0
    unit = EXACT.get(limit.terms[0][0], 0) if single and not limit.everywhere else 0
    return (np.rint(usage * unit).astype(np.int64), unit) if unit else (usage, 0)


def _amounts(problem: Problem, terms: tuple[tuple[str, float], ...]) -> npt.NDArray[np.float64]:
    """Return (k, n) what each pair adds to a weighted sum of measures."""
    shape = problem.value.shape
    usage = np.zeros(shape)
    for measure, coefficient in terms:
        if measure == "issued":
            amounts = np.ones(shape)
        elif measure == "face":
            assert problem.face is not None
            amounts = np.repeat(to_micros(problem.face)[:, None] / MICROS, shape[1], axis=1)
        else:
            amounts = problem.columns[problem.measures.index(measure)].astype(np.float64)
            if measure == "cost":
                amounts = to_micros(amounts) / MICROS
        usage += coefficient * amounts
    return usage
