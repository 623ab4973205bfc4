"""Evidence against "all goes to plan" that may be looked at after every event.

An e-process is at 1 in the beginning and does not grow on average while all goes to plan. So the
chance that it ever reaches 1/α is at most α, however often one looks: Ville's inequality. Here it
is a mixture of bets on several sizes of departure and on several moments at which they began.

References
----------
Ville, Étude critique de la notion de collectif (1939), page 84.
Howard, Ramdas, McAuliffe, Sekhon: Time-uniform, nonparametric, nonasymptotic confidence sequences,
Annals of Statistics 49 (2021), sections 2 and 3.
Waudby-Smith, Ramdas: Estimating means of bounded random variables by betting, JRSS B 86 (2024),
sections 3 and 4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from incentive_engine.domain import FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """How strongly a stretch of time speaks against the plan.

    Attributes
    ----------
    log_e : (b + 1,) float64
        Natural logarithm of the e-process, at the start and after each of b steps.
    start
        The step with which the departure most likely began; b where there is none now.
    """

    log_e: FloatArray
    start: int

    def crossed(self, error: float) -> int | None:
        """Return after which step it first reached 1/`error`; None where it never did."""
        beyond = np.flatnonzero(self.log_e >= -math.log(error))
        return int(beyond[0]) if len(beyond) else None


def mixed(log_bets: FloatArray, *, starts: int) -> Evidence:
    """Return the mixture over bets and over the steps at which they begin.

    Parameters
    ----------
    log_bets
        (r, b) float64, by how much each of r bets grew in each of b steps, logarithms.
    starts
        At how many steps a bet may begin, those to come included. Half of the money is on the
        first, the rest evenly on all.

    Notes
    -----
    A bet that has not begun is worth 1. A mixture of e-processes is one.

    >>> still = mixed(np.zeros((1, 3)), starts=4)
    >>> still.log_e.round(9).tolist()
    [0.0, 0.0, 0.0, 0.0]
    """
    bets, steps = log_bets.shape
    starts = max(starts, steps + 1)
    path = np.concatenate([np.zeros((bets, 1)), np.cumsum(log_bets, axis=1)], axis=1)
    begun = path + np.logaddexp.accumulate(-path, axis=1)
    with np.errstate(divide="ignore"):
        waiting = np.log(starts - np.arange(1.0, steps + 2.0))
    spread = np.logaddexp(begun, waiting) - math.log(starts)
    both = np.logaddexp(path, spread) - math.log(2)
    best = int(np.argmax(path[:, -1] - path.min(axis=1)))
    log_e = np.logaddexp.reduce(both, axis=0) - math.log(bets)
    # the last of equal minima: steps in which nothing was to come say nothing
    return Evidence(log_e=log_e, start=steps - int(np.argmin(path[best, ::-1])))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sizes:
    """How large single amounts are by the plan.

    Attributes
    ----------
    size : (s,) float64
        Above 0, in the amounts' unit.
    chance : (s,) float64
        With which chance it comes, 0 to 1; nothing otherwise.
    """

    size: FloatArray
    chance: FloatArray

    @classmethod
    def of_counts(cls) -> Self:
        """Return the sizes of units that are counted."""
        return cls(size=np.ones(1), chance=np.ones(1))

    @property
    def typical(self) -> float:
        """The mean size of a unit's amount: large ones hold more units."""
        return float((self.chance * self.size**2).sum() / (self.chance * self.size).sum())

    def growth(self, theta: float) -> float:
        """Return by how much exp(θ × amount) grows per unit that comes, on average."""
        grown = (self.chance * np.expm1(theta * self.size)).sum()
        return float(grown / (self.chance * self.size).sum())


def of_amounts(
    came: FloatArray,
    planned: FloatArray,
    *,
    factors: tuple[float, ...],
    starts: int,
    sizes: Sizes | None = None,
) -> Evidence:
    """Return the evidence that amounts come at another rate than was planned.

    Parameters
    ----------
    came
        (b,) float64, what came in each step.
    planned
        (b,) float64, what was to come by the plan with its margin, in the same unit.
    factors
        `WatchParams.more`, or `.less`.
    sizes
        Of single amounts, by the plan; None where units are counted.

    Notes
    -----
    While amounts X come at random moments, a bet θ grows by exp(θ S − m E[exp(θX) − 1] / E[X])
    where S came and m was planned; that is a martingale. For counts, with θ = log ρ, it is the
    likelihood ratio ρ^N exp(−(ρ − 1) m) of ρ times the plan.
    """
    sizes = Sizes.of_counts() if sizes is None else sizes
    bets = []
    for factor in factors:
        theta = math.log(factor) / sizes.typical
        bets.append(theta * came - sizes.growth(theta) * planned)
    return mixed(np.array(bets), starts=starts)


def of_total(count: float, planned: float, *, factors: tuple[float, ...]) -> float:
    """Return the logarithm of the evidence that a count is more than was planned, from the start.

    Parameters
    ----------
    count, planned
        What came until now, and the most that was to come by the plan; both only grow.
    factors
        `WatchParams.more`.
    """
    bets = [math.log(factor) * count - (factor - 1) * planned for factor in factors]
    return float(np.logaddexp.reduce(bets) - math.log(len(bets)))


def of_shares(
    share: FloatArray,
    planned: FloatArray,
    step: IntArray,
    *,
    factors: tuple[float, ...],
    starts: int,
) -> Evidence:
    """Return the evidence that shares between 0 and 1 are others on average than was planned.

    Parameters
    ----------
    share
        (n,) float64, 0 to 1, what came of each.
    planned
        (n,) float64, its mean by the plan with its margin, above 0 and below 1.
    step
        (n,) int, in which of the steps it was; in order.
    starts
        As in `mixed`; there are as many steps.

    Notes
    -----
    A bet on ρ times the plan grows by 1 + λ (x − p) with λ = (ρ − 1) / (1 − p), which is never
    below 0 and has mean 1 or less while the plan holds.
    """
    grown = np.empty((len(factors), starts))
    for place, rho in enumerate(factors):
        bet = (rho - 1.0) / (1.0 - planned)
        by_one = np.log(np.maximum(1.0 + bet * (share - planned), 1e-12))
        grown[place] = np.bincount(step, by_one, minlength=starts)[:starts]
    return mixed(grown, starts=starts)
