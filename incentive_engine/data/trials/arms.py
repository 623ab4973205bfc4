"""Which arm of the trial each row got."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pandas as pd

from incentive_engine.config.policy import Policy
from incentive_engine.data.row_checks import RowChecks, counted
from incentive_engine.data.trials.campaigns import TrialColumn
from incentive_engine.domain import CONTROL
from incentive_engine.errors import Fault, near_name
from incentive_engine.language import say


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arms:
    """The arm of each row.

    Attributes
    ----------
    code
        (n,) int16; 0 is control, j is the policy's offer j - 1, -1 an arm that it does not offer.
    ignored
        Name to number of rows of the arms that the policy does not offer.
    """

    code: npt.NDArray[np.int16]
    ignored: Mapping[str, int]


def read_arms(column: pd.Series, policy: Policy, checks: RowChecks) -> Arms:
    """Return the arms of a trial; what is wrong with them goes to `checks`.

    An arm that the policy does not offer is no error: it was tested once, and is not offered now.
    But if control or an offer has no rows, or a name differs from a known one only in case,
    spaces or punctuation, then it is a misspelling.
    """
    offered = (CONTROL, *policy.offer_ids)
    missing = np.asarray(column.isna(), dtype=np.bool_)
    checks.refuse(
        missing,
        say("`{offer}` is missing", offer=TrialColumn.OFFER),
        remedy=say("write `{control}` where there was none", control=CONTROL),
    )
    names = column.astype("str")
    code = pd.Index(offered).get_indexer(pd.Index(names))
    arms = {str(name): int(count) for name, count in names[~missing].value_counts().items()}
    check_arms(arms, policy, checks)
    ignored = {name: count for name, count in arms.items() if name not in offered}
    return Arms(code=code.astype(np.int16), ignored=MappingProxyType(ignored))


def check_arms(
    arms: Mapping[str, int], policy: Policy, checks: RowChecks, *, whole: bool = True
) -> None:
    """Note names that are misspelt, and arms without rows.

    Parameters
    ----------
    arms
        Name to number of rows.
    whole
        Whether these are all rows: an arm may be rare enough to be in no sample.
    """
    offered = (CONTROL, *policy.offer_ids)
    ignored = {name: count for name, count in arms.items() if name not in offered}
    _check_spelling(ignored, offered, checks)
    for name in offered:
        if not arms.get(name) and (whole or ignored):
            checks.faults.append(_empty_arm(name, ignored, checks.where))


def _check_spelling(ignored: Mapping[str, int], known: tuple[str, ...], checks: RowChecks) -> None:
    meant = {_bare(name): name for name in known}
    for name, count in ignored.items():
        if _bare(name) in meant:
            what = say(
                "`{offer}` is `{name}` in {counted}",
                offer=TrialColumn.OFFER,
                name=name,
                counted=counted(count),
            )
            checks.faults.append(
                Fault(checks.where, what, say("`{meant}`", meant=meant[_bare(name)]))
            )


def _empty_arm(name: str, ignored: Mapping[str, int], where: str) -> Fault:
    if near := near_name(name, ignored):
        remedy = say("is `{near}` meant?", near=near)
    else:
        remedy = say("drop it from the policy, or test it first")
        if name == CONTROL:
            remedy = say("name the arm without an offer `{control}`", control=CONTROL)
        if ignored:
            # so many other arms are listed where one has no rows
            named_arms = 8
            listed = tuple(ignored)[:named_arms]
            remedy = say("{remedy}; other arms: {listed}", remedy=remedy, listed=listed)
    if name == CONTROL:
        what = say(
            "no row is of the arm `{control}`, so nothing tells what happens without an offer",
            control=CONTROL,
        )
    else:
        what = say("offer `{name}` of the policy has no rows", name=name)
    return Fault(where, what, "rows of every arm", remedy)


def _bare(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
