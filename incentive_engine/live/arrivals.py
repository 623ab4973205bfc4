"""Who has come to a campaign, as its ledger says, whichever server decided."""

from __future__ import annotations

from contextlib import closing
from itertools import chain
from typing import Any, Final

import numpy as np
import pyarrow as pa

from incentive_engine.config.access.database_url import DatabaseUrl
from incentive_engine.domain import BoolArray, ChoiceArray, FloatArray, IntArray
from incentive_engine.live.entries import open_for_reading
from incentive_engine.live.ledger.stores.store import read_claims
from incentive_engine.live.population import RunPopulation

BATCH_SCENE: Final = "export"
"""The scene of what a batch handed out: its users are decided, and have not come."""


class ArrivalReader:
    """Reads what was decided since it read last.

    Parameters
    ----------
    ledger
        A path or a URL.
    population
        The users of the run.
    edges
        (m + 1,) float64, microseconds since 1970 between which arrivals are counted.
    limits
        How many limits the ledger has.

    Attributes
    ----------
    seen : (n,) bool
        Who of the run was decided for.
    offer : (n,) int16
        What each of them was given first, −1 for nothing.
    counts : (m,) int64
        Users who came for the first time in each stretch, strangers included.
    cost, face
        Sums over all offers that were reserved, millionths.
    taken : (L,) int64
        What was ever reserved of each limit of the ledger: millionths, or issued offers.
    """

    def __init__(
        self, ledger: str, population: RunPopulation, *, edges: FloatArray, limits: int
    ) -> None:
        self._ledger, self._population, self._edges = ledger, population, edges
        self._last = 0
        self._strangers: set[str] = set()
        self.seen: BoolArray = np.zeros(len(population), dtype=np.bool_)
        self.offer: ChoiceArray = np.full(len(population), -1, dtype=np.int16)
        self.counts: IntArray = np.zeros(len(edges) - 1, dtype=np.int64)
        self.taken: IntArray = np.zeros(limits, dtype=np.int64)
        self.cost, self.face = 0, 0

    def read(self) -> None:
        """Take in what was decided since the last time.

        Raises
        ------
        DataError
            When the ledger cannot be read.
        """
        mark = "%s" if self._ledger.startswith(DatabaseUrl.SCHEMES) else "?"
        with closing(open_for_reading(self._ledger)) as database:
            cursor = database.cursor()
            decided = (
                "SELECT seq, user_id, offer_id, decided_at, scene, cost, face, claims "
                "FROM decisions WHERE seq > {mark} ORDER BY seq"
            )
            cursor.execute(decided.format(mark=mark), (self._last,))
            # decisions that are read at a time, so that requests are answered in between
            while rows := cursor.fetchmany(10_000):
                self._take(rows)

    def _take(self, rows: list[tuple[Any, ...]]) -> None:
        seqs, users, offers, times, scenes, costs, faces, claims = zip(*rows, strict=True)
        self._last = seqs[-1]
        place = self._population.rows_of(pa.array(users, pa.string()))
        in_run = np.flatnonzero(place >= 0)
        _, first = np.unique(place[in_run], return_index=True)
        fresh = in_run[first][~self.seen[place[in_run[first]]]]
        self.seen[place[fresh]] = True
        given = self._population.offers_at([offers[at] for at in fresh.tolist()])
        self.offer[place[fresh]] = given
        strangers = []
        for at in np.flatnonzero(place < 0).tolist():
            if users[at] not in self._strangers:
                self._strangers.add(users[at])
                strangers.append(at)
        came = [at for at in [*fresh.tolist(), *strangers] if scenes[at] != BATCH_SCENE]
        when = np.array([times[at] for at in came], dtype=np.float64)
        self.counts += np.histogram(when.clip(self._edges[0], self._edges[-1]), self._edges)[0]
        self.cost, self.face = self.cost + sum(costs), self.face + sum(faces)
        for limit, amount in chain.from_iterable(map(read_claims, filter(None, claims))):
            self.taken[limit] += amount
