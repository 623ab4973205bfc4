"""What a ledger says of a campaign until now, as columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from incentive_engine.config.access.database_url import is_database, read_database_url
from incentive_engine.domain import BoolArray, IntArray
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say
from incentive_engine.live.ledger.commands import Published, Standing, standing
from incentive_engine.live.ledger.ledger import shown_place
from incentive_engine.live.ledger.records import Action, State
from incentive_engine.live.ledger.schema import Query
from incentive_engine.live.ledger.stores.store import limit_of, read_claims


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Observed:
    """D decisions, in order, and where everything stands.

    Attributes
    ----------
    row : (D,) int64
        The user's place in the run; −1 for a stranger.
    is_first : (D,) bool
        Whether it is the user's first decision: whether he came with it.
    offer : (D,) int64
        Place among the offers, −1 for none.
    state : (D,) int64
        Place among the states.
    cost, face, amount : (D,) int64
        Millionths; `amount` is 0 until something was redeemed.
    version : (D,) int64
        Of the prices that decided.
    decided, expires : (D,) int64
        Microseconds since 1970; `NEVER` where nothing runs out.
    claim_of, claim_limit, claim : (C,) int64
        What decisions claim: the decision, the limit, and how much of it.
    asked
        Users who asked most often, and how often.
    published
        The newest prices that a server gave itself; None where it decides at those of the plan.
    """

    row: IntArray
    is_first: BoolArray
    offer: IntArray
    state: IntArray
    cost: IntArray
    face: IntArray
    amount: IntArray
    version: IntArray
    decided: IntArray
    expires: IntArray
    claim_of: IntArray
    claim_limit: IntArray
    claim: IntArray
    pool: tuple[Standing, ...]
    asked: tuple[tuple[str, int], ...]
    actions: tuple[Action, ...]
    published: Published | None = None

    def is_state(self, *states: State) -> BoolArray:
        """Return (D,) bool whether a decision is in one of some states."""
        return np.isin(self.state, [[*State].index(state) for state in states])


def read_observed(
    ledger: str, *, run: str, offers: Sequence[str], rows_of: Callable[[pa.Array], IntArray]
) -> Observed:
    """Return what a ledger says, read at one moment, also while it is written.

    Parameters
    ----------
    run
        The digest of its run.
    rows_of
        From users' ids to their places in the run, −1 for strangers.

    Raises
    ------
    DataError
        When there is no ledger, or it is one of another run.
    """
    with reading(ledger) as rows:
        meta = dict(rows("SELECT name, content FROM meta"))
        if meta.get("run") != run:
            digest = str(meta.get("run"))[:16]
            what = say("is the ledger of another run, with the digest {digest}", digest=digest)
            remedy = "name that run, or another ledger with --ledger"
            expected = say("the digest {digest}", digest=run[:16])
            raise DataError(Fault(shown_place(ledger), what, expected, remedy))
        pool = tuple(standing(limit_of(row)) for row in rows(Query.POOL))
        query = (
            "SELECT user_id, offer_id, state, cost, face, amount, claims, decided_at, expires_at, "
            "prices_version "
            "FROM decisions ORDER BY seq"
        )
        decisions = list(rows(query))
        query = (
            "SELECT d.user_id, count(*) FROM requests r JOIN entries e ON e.seq = r.entry "
            "JOIN decisions d ON d.seq = e.decision GROUP BY d.user_id HAVING count(*) > 3 "
            "ORDER BY 2 DESC LIMIT 100"
        )
        asked = tuple((user, int(count)) for user, count in rows(query))
        actions = tuple(_action(row) for row in rows(Query.ACTIONS))
        newest = next(rows(Query.NEWEST_PRICES), None)
    seen = observed(decisions, pool, asked, actions, offers=offers, rows_of=rows_of)
    return seen if newest is None else replace(seen, published=Published._make(newest))


def observed(
    decisions: Sequence[tuple[Any, ...]],
    pool: tuple[Standing, ...],
    asked: tuple[tuple[str, int], ...],
    actions: tuple[Action, ...],
    *,
    offers: Sequence[str],
    rows_of: Callable[[pa.Array], IntArray],
) -> Observed:
    """Return what a ledger decided, row by row in the order of its query, as columns."""
    place, states = {offer: index for index, offer in enumerate(offers)}, tuple(State)
    seen: set[str] = set()
    firsts: list[bool] = []
    claims: list[tuple[int, int, int]] = []
    for number, row in enumerate(decisions):
        firsts.append(row[0] not in seen)
        seen.add(row[0])
        claims += [(number, limit, amount) for limit, amount in read_claims(row[6])]
    columns = list(zip(*decisions, strict=True)) or [()] * 10
    parts = np.array(claims, dtype=np.int64).reshape(-1, 3)
    return Observed(
        row=rows_of(pa.array(columns[0], pa.string())),
        is_first=np.array(firsts, dtype=np.bool_),
        offer=_whole([-1 if offer is None else place.get(offer, -1) for offer in columns[1]]),
        state=_whole([states.index(State(state)) for state in columns[2]]),
        cost=_whole(columns[3]),
        face=_whole(columns[4]),
        amount=_whole([amount or 0 for amount in columns[5]]),
        version=_whole(columns[9]),
        decided=_whole(columns[7]),
        expires=_whole([np.iinfo(np.int64).max if at is None else at for at in columns[8]]),
        claim_of=parts[:, 0],
        claim_limit=parts[:, 1],
        claim=parts[:, 2],
        pool=pool,
        asked=asked,
        actions=actions,
    )


@contextmanager
def reading(ledger: str) -> Iterator[Callable[[str], Iterator[tuple[Any, ...]]]]:
    """Yield how to read rows of a ledger, all of one moment.

    Raises
    ------
    DataError
        When there is no ledger, or it cannot be read.
    """
    if is_database(ledger, where="--ledger"):
        with _reading_postgres(ledger) as rows:
            yield rows
        return
    import sqlite3

    from incentive_engine.live.ledger.stores.sqlite_store import connect_read_only

    with closing(connect_read_only(Path(ledger))) as file:
        try:
            file.execute("BEGIN")
            yield lambda statement: iter(file.execute(statement))
        except sqlite3.Error as error:
            remedy = "name what `serve` has written; `serve` brings an older one up to date"
            raise DataError(
                Fault(ledger, say("is no ledger: {why}", why=str(error)), remedy=remedy)
            ) from error


@contextmanager
def _reading_postgres(ledger: str) -> Iterator[Callable[[str], Iterator[tuple[Any, ...]]]]:
    import psycopg

    from incentive_engine.live.ledger.stores.postgres_connection import told
    from incentive_engine.live.ledger.stores.postgres_store import PostgresStore

    place = read_database_url(ledger, where="--ledger")
    parameters: dict[str, Any] = dict(place.parameters)
    with told(place.shown), closing(psycopg.connect(**parameters)) as database:
        database.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        database.execute(f"SET search_path TO {PostgresStore.SCHEMA}")
        yield lambda statement: iter(database.cursor().execute(statement))


def _action(row: tuple[Any, ...]) -> Action:
    return Action._make((*row[:7], bytes(row[7])))


def _whole(numbers: Sequence[int]) -> npt.NDArray[np.int64]:
    return np.array(numbers, dtype=np.int64)
