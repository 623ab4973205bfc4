"""What is decided: users, offers, values, measures and limits, as columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from incentive_engine.allocation.explorers import Explorers
from incentive_engine.allocation.limits import LinearLimit
from incentive_engine.domain import FACE, ISSUED, BoolArray, Columns, FloatArray
from incentive_engine.errors import ConfigError, DataError, Fault
from incentive_engine.language import say


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetPool:
    """The budget as the certificate reports it; its limit is the one named `budget`."""

    amount: float
    """Currency units."""
    basis: Literal["expected", "face", "at-risk"] = "expected"
    confidence: float = 0.95
    """For `at-risk`: the probability that real redemption stays within the amount."""
    cost_error: float = 0.05
    """For `at-risk`: the relative standard error of the forecast of the total cost."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Question:
    """What is asked about users, wherever these are.

    Attributes
    ----------
    offers
        The k offers; a choice is an index into them.
    measures
        The m measures that have columns, `cost` among them when money is limited.
    face
        (k,) float64, the offers' face values, currency units.
    n_cells
        How many cells there are.
    limits
        The bounds, the budget's among them.
    exactly_one
        Every user outside the holdout gets an offer.
    explorers
        Users whose arm was drawn by lot (their values are −inf); None for none.
    pool
        The budget for the report.
    """

    offers: tuple[str, ...]
    measures: tuple[str, ...] = ()
    face: FloatArray | None = None
    n_cells: int = 1
    limits: tuple[LinearLimit, ...] = ()
    exactly_one: bool = False
    explorers: Explorers | None = None
    pool: BudgetPool | None = None

    @property
    def enforced(self) -> tuple[LinearLimit, ...]:
        """The limits that a plan must keep."""
        return tuple(limit for limit in self.limits if not limit.report_only)

    def has(self, measure: str) -> bool:
        """Whether the measure can be summed."""
        return (
            measure in self.measures
            or measure == ISSUED
            or (measure == FACE and self.face is not None)
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem(Question):
    """Users, offers, values, measures and limits: question, and the users in memory.

    Attributes
    ----------
    value
        (k, n) float32 or float64, what is maximised, −inf where the pair is not eligible.
    columns
        (m, k, n) of value's type; `cost` is an amount that is rounded up to a millionth
        wherever it is summed or priced. Entries of pairs that are not eligible are ignored.
    cell
        (n,) unsigned, the user's cell, below `n_cells`.
    holdout
        (n,) bool, users that never get an offer (their values are −inf); None for none.
    weight
        (n,) float64, how much the user's outcome counts; None for 1.
    key
        (n,) uint64, an identity of the user that breaks ties, so that the order of the rows
        does not matter; None makes one from the row's content.

    Raises
    ------
    ConfigError
        When limits contradict themselves or name what does not exist.
    DataError
        When shapes or numbers do not fit.
    """

    value: Columns
    columns: Columns = field(default_factory=lambda: np.empty((0, 0, 0)))
    cell: npt.NDArray[Any] = field(default_factory=lambda: np.empty(0, dtype=np.uint16))
    holdout: BoolArray | None = None
    weight: FloatArray | None = None
    key: npt.NDArray[np.uint64] | None = None

    def __post_init__(self) -> None:
        if not self.measures:
            empty = np.empty((0, *self.value.shape), dtype=self.value.dtype)
            object.__setattr__(self, "columns", empty)
        if not len(self.cell):
            object.__setattr__(self, "cell", np.zeros(self.n_users, dtype=np.uint16))
        if faults := [*_shape_faults(self)]:
            raise DataError(*faults)
        if faults := [fault for limit in self.limits for fault in _limit_faults(self, limit)]:
            raise ConfigError(*faults)
        _check_names(self)

    @property
    def n_users(self) -> int:
        """How many users the problem has, the holdout's among them."""
        return int(self.value.shape[1])

    @property
    def explores(self) -> BoolArray:
        """(n,) bool, whose arm was drawn by lot."""
        explores = np.zeros(self.n_users, dtype=np.bool_)
        if self.explorers is not None:
            explores[self.explorers.users] = True
        return explores


def _shape_faults(problem: Problem) -> list[Fault]:
    k, n = len(problem.offers), problem.n_users
    shapes = {
        "value": (problem.value.shape, (k, n)),
        "columns": (problem.columns.shape, (len(problem.measures), k, n)),
        "cell": (problem.cell.shape, (n,)),
        "holdout": (None if problem.holdout is None else problem.holdout.shape, (n,)),
        "weight": (None if problem.weight is None else problem.weight.shape, (n,)),
        "key": (None if problem.key is None else problem.key.shape, (n,)),
        "face": (None if problem.face is None else problem.face.shape, (k,)),
    }
    faults = [
        Fault(f"problem: {name}", say("the shape is {got}", got=str(got)), str(expected))
        for name, (got, expected) in shapes.items()
        if got is not None and got != expected
    ]
    faults += _kind_faults(problem)
    if n and not faults:
        faults += _cell_faults(problem)
    # face values beyond that would overflow in millionths
    dearest = 1e12
    if problem.face is not None and not np.all((problem.face >= 0) & (problem.face <= dearest)):
        faults.append(
            Fault(
                "problem: face",
                "a face value is no amount",
                say("numbers from 0 to {dearest:g}", dearest=dearest),
            )
        )
    return faults


def _kind_faults(problem: Problem) -> Iterator[Fault]:
    k, kind = len(problem.offers), problem.value.dtype
    # the choice of a user is an int16, and −1 stands for no offer
    most_offers = 32_000
    if k == 0 or k > most_offers:
        expected = say("1 to {most}", most=most_offers)
        yield Fault("problem: offers", say("there are {count}", count=k), expected)
    if kind not in {np.dtype(np.float32), np.dtype(np.float64)}:
        yield Fault("problem: value", str(kind), "float32 or float64")
    if problem.columns.dtype != kind:
        yield Fault("problem: columns", str(problem.columns.dtype), str(kind))


def _cell_faults(problem: Problem) -> Iterator[Fault]:
    # compiled loops index by cell without a check: a label out of range would read strange memory
    if int(np.max(problem.cell)) >= problem.n_cells:
        expected = say("below {cells}", cells=problem.n_cells)
        yield Fault("problem: cell", "a label is too large", expected)
    elif int(np.min(problem.cell)) < 0:
        yield Fault("problem: cell", "a label is negative", "0 or more")


def _limit_faults(problem: Problem, limit: LinearLimit) -> list[Fault]:
    where = f"limit `{limit.name}`"
    faults = [
        Fault(
            where,
            say("no measure `{measure}`", measure=measure),
            say("one of {names}", names=tuple(problem.measures)),
        )
        for measure, _ in limit.all_terms
        if not problem.has(measure)
    ]
    for name, mask, size in (
        ("cells", limit.cells, problem.n_cells),
        ("offers", limit.offers, len(problem.offers)),
    ):
        if mask is not None and mask.shape != (size,):
            faults.append(
                Fault(
                    where,
                    say("{name} has shape {shape}", name=name, shape=mask.shape),
                    say("({size},)", size=size),
                )
            )
    if not all(abs(coefficient) <= LinearLimit.LARGEST for _, coefficient in limit.all_terms):
        faults.append(
            Fault(
                where,
                "a ratio or coefficient is no number",
                say("up to {largest:g}", largest=LinearLimit.LARGEST),
            )
        )
    return [*faults, *_bound_faults(limit, where)]


def _bound_faults(limit: LinearLimit, where: str) -> list[Fault]:
    faults: list[Fault] = []
    low, high = limit.at_least, limit.at_most
    if low is None and high is None:
        faults.append(Fault(where, "it has no bound", "at_most, at_least, or both"))
    bounds = [bound for bound in (low, high) if bound is not None]
    if not np.all(np.isfinite(bounds)):
        faults.append(Fault(where, "a bound is not finite", "finite numbers"))
    elif np.any(np.abs(bounds) > LinearLimit.LARGEST):
        faults.append(
            Fault(
                where,
                say("a bound is beyond {largest:g}", largest=LinearLimit.LARGEST),
                "",
                "leave out what bounds nothing",
            )
        )
    if low is not None and high is not None and low > high:
        faults.append(
            Fault(
                where,
                say("at_least {low:g} is above at_most {high:g}", low=low, high=high),
                "",
                "lower one of them",
            )
        )
    return faults


def _check_names(problem: Problem) -> None:
    for what, names in (
        ("offer", problem.offers),
        ("limit", tuple(limit.name for limit in problem.limits)),
    ):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigError(
                *(
                    Fault(f"{what} `{name}`", "the name is used twice", "", "rename one")
                    for name in twice
                )
            )
