"""What a run says of the pairs that a ledger holds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from incentive_engine.data.tables.arrow import numbers
from incentive_engine.domain import COST, FACE, ISSUED, MICROS, Reason, score_column, to_micros
from incentive_engine.language import Text, say
from incentive_engine.verify.files import StatedRun
from incentive_engine.verify.recomputed.blocks import read_columns
from incentive_engine.verify.recomputed.rules import LimitGroup, groups, stored_measures
from incentive_engine.verify.recomputed.users import allowed, read_users


class PairFacts:
    """What the run says of a pair: who may have it, its cost, and what it counts in each limit."""

    def __init__(self, run: StatedRun, users: Sequence[str]) -> None:
        self._policy = run.policy
        scores = run.directory / "scores.parquet"
        table = read_users(scores, run.policy.attribute_columns)
        self.groups = groups(run.policy, table)
        wanted = pa.array(users, pa.large_string())
        places = pc.index_in(wanted, table["user_id"].chunk(0).cast(pa.large_string()))
        self._rows = {
            u: r for u, r in zip(users, places.to_pylist(), strict=True) if r is not None
        }
        rows = np.array(sorted(self._rows.values()), dtype=np.int64)
        self._at = {int(row): at for at, row in enumerate(rows)}
        names = [name for name in run.score_columns if "__" in name]
        columns = read_columns(scores, names)
        self._scores = {name: np.asarray(numbers(columns[name]))[rows] for name in names}
        reasons = read_columns(run.directory / "allocation.parquet", ["reason"])["reason"]
        in_holdout = pc.equal(reasons.combine_chunks().cast(pa.string()), Reason.HOLDOUT.value)
        self._held = np.asarray(in_holdout.to_numpy(zero_copy_only=False))[rows]
        ruled = {offer for rule in run.policy.eligibility for offer in rule.offers}
        self._allowed = {offer: allowed(table, run.policy, offer)[rows] for offer in ruled}
        self._measures = stored_measures(run.policy)

    def knows(self, user: str) -> bool:
        """Whether a user is one of the run's."""
        return user in self._rows

    def obstacle(self, user: str, offer: str, *, seq: int) -> Text | None:
        """Return why a user of the run may not have the offer of an entry; None for who may."""
        at = self._at[self._rows[user]]
        if offer not in self._policy.offer_ids:
            return say("entry {seq}: the offer is none of the policy's", seq=seq)
        if self._held[at]:
            return say("entry {seq}: the user is held out", seq=seq)
        if offer in self._allowed and not self._allowed[offer][at]:
            return say("entry {seq}: the rules forbid the offer", seq=seq)
        stored = [self._scores[score_column(name, offer)][at] for name in self._measures]
        if np.isnan(stored).any():
            return say("entry {seq}: a score of the offer is missing", seq=seq)
        return None

    def amounts(self, user: str, offer: str) -> dict[str, int]:
        """Return limit name to what the pair counts there."""
        row = self._rows[user]
        counted: dict[str, int] = {}
        for group in self.groups:
            if group.report_only:
                continue
            place = 0 if group.part is None else int(group.part[row])
            own = group.names[place] if place >= 0 and offer in group.offers else None
            for name in group.names if group.of_plan else (own,):
                if name is not None:
                    counted[name] = self._counted(group, row, offer, is_part=name == own)
        return counted

    def cost(self, user: str, offer: str) -> int:
        """Return a pair's expected cost, millionths."""
        return int(to_micros(self._score(self._rows[user], COST, offer)))

    def face(self, offer: str) -> int:
        """Return an offer's face value, millionths."""
        (value,) = [o.face_value for o in self._policy.offers if o.id == offer]
        return int(to_micros(value))

    def _counted(self, group: LimitGroup, row: int, offer: str, *, is_part: bool) -> int:
        if group.measures == (ISSUED,):
            return 1
        amounts = [self._measure(name, row, offer) for name in group.measures]
        # an offer outside the part counts in the denominator of the whole plan alone
        amounts[0] *= is_part
        return int(to_micros(float(group.linear_form(*amounts))))

    def _measure(self, name: str, row: int, offer: str) -> float:
        if name == ISSUED:
            return 1.0
        if name == FACE:
            return self.face(offer) / MICROS
        value = self._score(row, name, offer)
        return int(to_micros(value)) / MICROS if name == COST else value

    def _score(self, row: int, measure: str, offer: str) -> float:
        return float(self._scores[score_column(measure, offer)][self._at[row]])
