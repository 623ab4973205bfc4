"""Prices of a policy's limits, numbered: what decisions are made at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say


@dataclass(frozen=True, kw_only=True, eq=False)
class Prices(Mapping[str, float]):
    """The prices of a policy's limits, numbered: limit name to price, and whose they are.

    Attributes
    ----------
    version
        0 for those of the plan; each new set has the next number.
    policy
        The digest of the frozen policy whose limits they are about.
    by_limit
        Limit name to the value given up per unit of the limit; one that is not named costs 0.
    settled
        How many users of the plan the integer stage gave something else than these prices would;
        `margin` of allocation.parquet names them, it is not above 0. 0 for later versions.
    per_cost
        The value given up per unit of what an offer is expected to cost, beside its limits: where
        offers are held at their face value and come back, that is what they take in the end.
    """

    COSTS: ClassVar[str] = ""
    """How solvers call what `per_cost` is the price of; no limit of a policy is called so."""

    version: int = 0
    policy: str
    by_limit: Mapping[str, float]
    settled: int = 0
    per_cost: float = 0.0

    __hash__ = object.__hash__  # one set of prices is itself; a mapping would have no hash

    def __eq__(self, other: object) -> bool:
        return self is other

    def __getitem__(self, limit: str) -> float:
        return self.by_limit[limit]

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_limit)

    def __len__(self) -> int:
        return len(self.by_limit)

    def by_name(self) -> dict[str, float]:
        """Return them as solvers know them, that of costs by its name."""
        return {**self.by_limit, self.COSTS: self.per_cost}

    def next(self, solved: Mapping[str, float]) -> Prices:
        """Return new prices of the same limits under the next number, as solvers know them."""
        by_limit = dict(solved)
        per_cost = by_limit.pop(self.COSTS, 0.0)
        return Prices(
            version=self.version + 1, policy=self.policy, by_limit=by_limit, per_cost=per_cost
        )

    def to_dict(self) -> dict[str, Any]:
        """Return them as JSON, as `prices.json` of a run directory has them."""
        return {
            "version": self.version,
            "frozen_policy": self.policy,
            "prices": dict(self.by_limit),
            "settled": self.settled,
            **({"per_cost": self.per_cost} if self.per_cost else {}),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], *, where: str = "prices.json") -> Self:
        """Return the prices that JSON states.

        Raises
        ------
        DataError
            When a part is missing or is no number.
        """
        try:
            by_limit = {str(name): float(price) for name, price in content["prices"].items()}
            version, settled = int(content["version"]), int(content["settled"])
            policy, per_cost = str(content["frozen_policy"]), float(content.get("per_cost", 0.0))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DataError(
                Fault(where, say("it is broken: {reason}", reason=error), "the file of a run")
            ) from error
        if not np.all(np.isfinite([*by_limit.values(), per_cost])):
            raise DataError(Fault(where, "a price is not finite", "finite numbers"))
        return cls(
            version=version, policy=policy, by_limit=by_limit, settled=settled, per_cost=per_cost
        )
