"""How the solvers ended, for the record: what is proven stands in the certificate itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """What is known about an integer program."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    INFEASIBLE = "infeasible"
    UNKNOWN = "unknown"


class PriceStatus(StrEnum):
    """What is known about the prices: the least of the dual, or somewhere near it."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"


@dataclass(frozen=True, slots=True, kw_only=True)
class SolverReport:
    """How prices and plan were found.

    Attributes
    ----------
    prices
        Whether they are proven to be optimal.
    price_gap
        (dual − model) / |dual| of the last linear program; None where none had an answer.
    sweeps
        Passes over all users.
    integer
        What the integer programs know of the plan.
    integer_users
        How many users the last of them had.
    solver_bound
        Its own bound on the plan's value; None where it has none.
    """

    prices: PriceStatus
    price_gap: float | None
    sweeps: int
    integer: Status
    integer_users: int
    solver_bound: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the entry `solver` of certificate.json."""
        return asdict(self)
