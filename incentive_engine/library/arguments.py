"""What callers hand in, as the engine's options, and errors that name arguments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from numbers import Real

from incentive_engine.config.policy import Policy
from incentive_engine.data.columns.attributes import missing_attributes
from incentive_engine.data.scores import ScoreTable
from incentive_engine.errors import ConfigError, DataError, Fault, IncentiveError
from incentive_engine.insight.budget.policy_options import BudgetOptions
from incentive_engine.language import Text, say

Amount = float | int | str
"""Money: a number of currency units, or text as planners write it, such as 200k."""


@contextmanager
def named_by_argument() -> Iterator[None]:
    """Let errors name arguments where commands would name options: `budget`, not `--budget`."""
    try:
        yield
    except IncentiveError as error:
        faults = (
            replace(
                fault,
                where=_arguments(fault.where),
                what=_arguments(fault.what),
                expected=_arguments(fault.expected),
                remedy=_arguments(fault.remedy),
            )
            for fault in error.faults
        )
        raise type(error)(*faults) from error.__cause__


def _arguments(text: Text) -> Text:
    """Return a text with options as arguments.

    >>> _arguments("an amount, or --min-roi")
    'an amount, or min_roi'
    """
    if "--" not in (words := str(text)):
        return text
    return re.sub(r"--([a-z][a-z-]*)", lambda option: option[1].replace("-", "_"), words)


def options_of(
    *,
    budget: Amount | None,
    basis: str | None,
    confidence: float | None,
    min_roi: float | None,
    min_marginal_roi: float | None,
) -> BudgetOptions:
    """Return what the arguments change in a policy.

    Raises
    ------
    ConfigError
        When the budget is neither a number nor text.
    """
    return BudgetOptions(
        amount=None if budget is None else amount_text(budget, "budget"),
        basis=basis,
        confidence=confidence,
        min_roi=min_roi,
        min_marginal_roi=min_marginal_roi,
    )


def amount_text(amount: Amount, where: str) -> str:
    """Return an amount as planners write it.

    >>> amount_text(200_000, "budget"), amount_text(2.5, "budget"), amount_text("5m", "budget")
    ('200000', '2.5', '5m')

    Raises
    ------
    ConfigError
        When it is neither a number nor text.
    """
    if isinstance(amount, str):
        return amount
    given: object = amount
    if isinstance(given, bool) or not isinstance(given, Real):
        what = say("is a {name}", name=type(given).__name__)
        raise ConfigError(Fault(where, what, "a number, or text such as 200k"))
    return f"{int(amount)}" if float(amount).is_integer() else repr(float(amount))


def check_scores(scores: ScoreTable, policy: Policy) -> None:
    """Refuse a score table that was made for a policy with other offers or columns.

    Raises
    ------
    DataError
        With what it lacks.
    """
    given: object = scores
    if not isinstance(given, ScoreTable):
        what, remedy = (
            say("is a {name}", name=type(given).__name__),
            "ScoreTable.from_frame(frame, policy)",
        )
        raise DataError(Fault("scores", what, "a ScoreTable", remedy))
    remedy = "make it with this policy"
    faults = missing_attributes(policy, tuple(scores.attributes.column_names), where="scores")
    if scores.offers != policy.offer_ids:
        what = say("was made for the offers {offers}", offers=tuple(scores.offers))
        faults.append(
            Fault("scores", what, say("{offer_ids}", offer_ids=tuple(policy.offer_ids)), remedy)
        )
    faults += [
        Fault(
            "scores",
            say("has no measure `{measure}`", measure=measure),
            "every measure of the policy",
            remedy,
        )
        for measure in policy.measures
        if not scores.has(measure)
    ]
    if faults:
        raise DataError(*faults)
