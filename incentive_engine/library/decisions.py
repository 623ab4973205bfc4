"""One user's choice, for programs that hold users as rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from incentive_engine.allocation.decisions.decision import OfferChoice
from incentive_engine.allocation.decisions.decision import decide as decide_user
from incentive_engine.allocation.decisions.frozen_policy import FrozenPolicy, User
from incentive_engine.allocation.decisions.prices import Prices
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say


def decide(user: User | Mapping[Any, Any], frozen: FrozenPolicy, prices: Prices) -> OfferChoice:
    """Return what one user gets, and why: a pure function of the three.

    Parameters
    ----------
    user
        A `User`, or a row of a score table: column to value, such as
        ``scores.to_frame().to_dict("records")[0]``; None or NaN where a value is missing.
    frozen, prices
        Of one run: ``run.frozen`` and ``run.prices``, or those of a plan.

    Raises
    ------
    DataError
        When the prices belong to another policy, or the user lacks what the policy needs.
    """
    if isinstance(user, User):
        return decide_user(user, frozen, prices)
    given: object = user
    if not isinstance(given, Mapping):
        what, remedy = (
            say("is a {name}", name=type(given).__name__),
            "hand in one row as a dictionary",
        )
        raise DataError(Fault("user", what, "a User, or column to value", remedy))
    row = {
        # an attribute that is NaN is missing; a measure that is NaN makes a pair ineligible
        str(name): None if name in frozen.kinds and _is_missing(value) else value
        for name, value in given.items()
    }
    return decide_user(User.from_row(row, frozen), frozen, prices)


def _is_missing(value: object) -> bool:
    """Return whether a frame means nothing by a value: NaN and NaT are unlike themselves."""
    return bool(value != value)  # noqa: PLR0124 - that is the test
