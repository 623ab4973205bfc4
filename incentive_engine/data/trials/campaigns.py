"""Trials of several campaigns in one table: which campaign a row is of, and what it could get."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from incentive_engine.data.row_checks import RowChecks
from incentive_engine.domain import OUTCOMES, USER_ID, BoolArray
from incentive_engine.language import say

if TYPE_CHECKING:
    import pandas as pd


class TrialColumn(StrEnum):
    """Columns of a trial that say what was dealt, beside its users and outcomes."""

    OFFER = "offer"
    """The arm: an offer's id, or `control`."""
    PROPENSITY = "propensity"
    """How likely the row's arm was."""
    CAMPAIGN = "campaign"
    """Which campaign the row is of."""
    DECIDED_AT = "decided_at"
    """When the row's arm was drawn."""
    ARMS = "arms"
    """The offers that the row could get, with spaces between."""


RESERVED: Final = frozenset({USER_ID, *TrialColumn, *OUTCOMES})
"""Columns of a trial that say what happened; they are never features."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Campaigns:
    """The campaigns of a trial's n rows.

    Attributes
    ----------
    names
        From the oldest to the newest, by their rows' `TrialColumn.DECIDED_AT`; those without one
        come before all others, as they appear.
    code : (n,) int16
        Each row's place among them.
    person : n texts or integers
        Who the row is about; one person may have a row in each campaign.
    reach : (n, k) bool
        Which offers the row could get: those of `TrialColumn.ARMS`, or else those that its
        campaign dealt.
    """

    names: tuple[str, ...]
    code: npt.NDArray[np.int16]
    person: pd.Series
    reach: BoolArray

    def rows(self, place: int) -> BoolArray:
        """Return (n,) bool, which rows are of a campaign."""
        return np.asarray(self.code == place)

    def take(self, kept: BoolArray) -> Campaigns:
        """Return the campaigns of some rows."""
        return Campaigns(
            names=self.names,
            code=self.code[kept],
            person=self.person[kept].reset_index(drop=True),
            reach=self.reach[kept],
        )


def read_campaigns(
    frame: pd.DataFrame, offers: tuple[str, ...], arm: npt.NDArray[np.int16], checks: RowChecks
) -> Campaigns | None:
    """Return the campaigns of a trial as it was read, None where it is one alone.

    Parameters
    ----------
    arm
        (n,) int16; 0 control, j offer j − 1, −1 an arm that the policy does not offer.
    """
    if TrialColumn.CAMPAIGN not in frame:
        return None
    import pandas as pd  # half a second that a plan from scores does not need

    given = frame[TrialColumn.CAMPAIGN]
    checks.refuse(
        given.isna().to_numpy(),
        say("`{name}` is missing", name=TrialColumn.CAMPAIGN),
        expected="the name of a campaign in each row",
    )
    label = given.astype(str)
    names = tuple(label.drop_duplicates())
    if TrialColumn.DECIDED_AT in frame:
        first = (
            pd.to_datetime(frame[TrialColumn.DECIDED_AT], utc=True, errors="coerce")
            .groupby(label)
            .min()
        )
        undated = [name for name in names if pd.isna(first[name])]
        dated = sorted((first[name], name) for name in names if name not in undated)
        names = (*undated, *(name for _, name in dated))
    code = pd.Index(names).get_indexer(pd.Index(label)).astype(np.int16)
    twice = (
        frame.assign(**{TrialColumn.CAMPAIGN: label})
        .duplicated([USER_ID, TrialColumn.CAMPAIGN])
        .to_numpy()
    )
    remedy = "keep one row per user and campaign"
    checks.refuse(twice, say("learn.twice", column=USER_ID), remedy=remedy)
    return Campaigns(
        names=names, code=code, person=frame[USER_ID], reach=_reach(frame, offers, arm, code)
    )


def _reach(
    frame: pd.DataFrame,
    offers: tuple[str, ...],
    arm: npt.NDArray[np.int16],
    code: npt.NDArray[np.int16],
) -> BoolArray:
    """Return (n, k) bool, which offers each row could get."""
    import pandas as pd  # half a second that a plan from scores does not need

    dealt = np.zeros((int(code.max(initial=-1)) + 1, len(offers)), dtype=np.bool_)
    # an arm that somebody of a campaign got could be got by all of it, unless rows say more
    treated = arm > 0
    dealt[code[treated], arm[treated] - 1] = True
    reach = dealt[code]
    if TrialColumn.ARMS in frame:
        is_listed = frame[TrialColumn.ARMS].notna().to_numpy()
        levels, texts = pd.factorize(frame[TrialColumn.ARMS].astype(str))
        listed = np.array([[offer in text.split() for offer in offers] for text in texts])
        reach[is_listed] = listed.reshape(len(texts), len(offers))[levels][is_listed]
    return reach
