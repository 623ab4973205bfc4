"""What a policy means for one user, found once among all of them.

Some of what a policy says about a user hangs on all others: a `power` weight is relative to their
median, the holdout is a share of them, `for_each` makes a limit per value that occurs. A
`FrozenPolicy` holds these facts of a plan's population, so that who is decided on later, alone,
in a batch or in a shard, is decided on as in the plan.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Self

from pydantic import ValidationError

from incentive_engine.config.policy import Policy
from incentive_engine.domain import (
    CONVERSION,
    COST,
    OFFER_MEASURES,
    SPEND,
    AttributeKind,
    score_column,
)
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say

Label = str | None
"""An attribute's value as text; None where it is missing."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FrozenPolicy:
    """A policy with the facts of its population that a decision about one user needs.

    Attributes
    ----------
    policy
        As the run used it.
    measures
        The measures of the score table, which a user must have for every offer; NaN in one that
        the policy needs makes that offer ineligible.
    kinds
        Attribute to what its values are.
    medians
        Per factor of the objective's weight what its power is relative to; None for a table.
    groups
        Per limit of the policy the values that its `for_each` makes a limit of; None without.
    cutoffs
        Per stratum of the holdout, named by its values, the highest rank of its keyed hash that
        is held out, −1 for nobody. A stratum that the population lacks is drawn from by the
        policy's share.
    held
        Per stratum which share of its users is held out.
    explored
        The highest rank of the keyed hash of users who explore, −1 for nobody.
    """

    FORMAT: ClassVar = 2
    """The version of the file that a frozen policy is written to."""

    policy: Policy
    measures: tuple[str, ...]
    kinds: Mapping[str, AttributeKind]
    medians: tuple[float | None, ...]
    groups: tuple[tuple[str, ...] | None, ...]
    cutoffs: Mapping[tuple[Label, ...], int] = field(repr=False)
    held: Mapping[tuple[Label, ...], float] = field(repr=False)
    explored: int = -1

    @property
    def needed(self) -> tuple[str, ...]:
        """The measures that must be known of an offer to give it."""
        named = dict.fromkeys((CONVERSION, COST, SPEND, *self.policy.measures))
        return tuple(m for m in named if m in self.measures and m not in OFFER_MEASURES)

    @property
    def share_cutoff(self) -> int:
        """The rank up to which users of a stratum that the population lacks are held out."""
        share = self.policy.holdout or 0.0
        # above every rank of the keyed hash that draws the holdout
        everybody = 2.0**64
        return int(share * everybody) - 1

    @cached_property
    def digest(self) -> str:
        """The sha256 of what it states: prices name the frozen policy that they belong to."""
        # sorted, so that the digest survives a file whose keys were reordered
        text = json.dumps(self.to_dict(), ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON, as `frozen_policy.json` of a run directory has it."""
        return {
            "format": self.FORMAT,
            "policy": self.policy.model_dump(mode="json"),
            "measures": list(self.measures),
            "kinds": dict(self.kinds),
            "medians": list(self.medians),
            "groups": [None if values is None else list(values) for values in self.groups],
            "holdout": [
                {"stratum": list(stratum), "highest": rank, "share": self.held[stratum]}
                for stratum, rank in sorted(self.cutoffs.items(), key=lambda item: str(item[0]))
            ],
            "explored": self.explored,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], *, where: str = "frozen_policy.json") -> Self:
        """Return the frozen policy that JSON states.

        Raises
        ------
        DataError
            When it is of another format, or broken.
        """
        if content.get("format") != cls.FORMAT:
            what = say("the format is {format}", format=content.get("format"))
            raise DataError(Fault(where, what, str(cls.FORMAT), "plan anew with this version"))
        try:
            return cls(
                policy=Policy.model_validate(content["policy"]),
                measures=tuple(content["measures"]),
                kinds=content["kinds"],
                medians=tuple(content["medians"]),
                groups=tuple(None if v is None else tuple(v) for v in content["groups"]),
                cutoffs={tuple(x["stratum"]): x["highest"] for x in content["holdout"]},
                held={tuple(x["stratum"]): x["share"] for x in content["holdout"]},
                explored=content["explored"],
            )
        except (KeyError, TypeError, ValidationError) as error:
            what = say("it is broken: {name}", name=type(error).__name__)
            raise DataError(Fault(where, what, "the file of a run", "plan anew")) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One user to decide on.

    Attributes
    ----------
    user_id
        As in the score table.
    attributes
        Column to value, None where it is missing; those that the policy names.
    measures
        Measure to k floats in the policy's order of offers, NaN where a pair has none.
    """

    user_id: int | str
    attributes: Mapping[str, Any]
    measures: Mapping[str, Sequence[float]]

    @classmethod
    def from_row(cls, row: Mapping[str, Any], frozen: FrozenPolicy) -> Self:
        """Return the user of a row of a score table, column to value.

        Raises
        ------
        DataError
            When the row lacks columns.
        """
        offers = frozen.policy.offer_ids
        pairs = {m: [score_column(m, offer) for offer in offers] for m in frozen.measures}
        wanted = ["user_id", *frozen.kinds, *(name for names in pairs.values() for name in names)]
        if missing := [name for name in wanted if name not in row]:
            what = say("columns are missing: {missing}", missing=tuple(missing[:5]))
            raise DataError(Fault("user", what, "a row of the score table"))
        return cls(
            user_id=row["user_id"],
            attributes={name: row[name] for name in frozen.kinds},
            measures={
                m: [math.nan if row[name] is None else row[name] for name in names]
                for m, names in pairs.items()
            },
        )
