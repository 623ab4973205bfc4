"""What a ledger in PostgreSQL runs, and how the columns of its answers are read."""

from __future__ import annotations

from typing import Final

from incentive_engine.live.ledger.records import Decision
from incentive_engine.live.ledger.schema import Query
from incentive_engine.live.ledger.stores.postgres_pipeline import bytes_of, text_of
from incentive_engine.live.ledger.stores.store import Needs

STATEMENTS: Final = {
    "begin": "BEGIN",
    # on its own, since what is read with a lock is read as it was before the wait for it
    "lock": "SELECT seq, at, chain, xmin FROM head FOR UPDATE",
    # who has read the pool as one transaction left it need not read it again
    "pool": (
        "SELECT reserved, settled, overdraft, variance, moved FROM pool "
        "WHERE (SELECT xmin FROM head) <> $1 ORDER BY place"
    ),
    "answered": (
        "SELECT r.key, r.digest, e.seq, e.at, e.decision, e.state, e.amount, e.chain "
        "FROM requests r JOIN entries e ON e.seq = r.entry WHERE r.key = ANY($1)"
    ),
    "concerned": (
        f"SELECT {Decision.columns()}, FALSE FROM decisions WHERE seq = ANY($1) "  # noqa: S608 - columns of ours
        f"UNION ALL SELECT {Decision.columns()}, FALSE FROM decisions "
        "WHERE user_id = ANY($2) AND state IN ('reserved', 'redeemed') "
        f"UNION ALL (SELECT {Decision.columns()}, TRUE FROM decisions WHERE state = 'reserved' "
        "AND expires_at <= greatest($3, (SELECT at FROM head)) "
        f"ORDER BY expires_at LIMIT {Needs.MOST_DUE})"
    ),
    "named": f"SELECT {Decision.columns()}, FALSE FROM decisions WHERE seq = ANY($1)",  # noqa: S608 - likewise
    "newest": Query.NEWEST_PRICES,
    "acted": Query.ACTIONS,
    # what ended goes first: a user whose offer ran out may have a new one in the same batch
    "ended": (
        "UPDATE decisions d SET state = n.state, amount = n.amount, last = n.last "
        "FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[]) "
        "AS n(seq, state, amount, last) WHERE d.seq = n.seq"
    ),
    **{
        table: f"INSERT INTO {table} SELECT * FROM unnest($1::{table}[])"  # noqa: S608 - likewise
        for table in ("prices", "actions")
    },
    # one statement: the database takes as long to begin one as to write a row
    "written": (
        "WITH opened AS (INSERT INTO decisions SELECT * FROM unnest($1::decisions[])), "
        "entered AS (INSERT INTO entries SELECT * FROM unnest($2::entries[])), "
        "keyed AS (INSERT INTO requests SELECT * FROM unnest($3::requests[])), "
        "summed AS (UPDATE pool p SET reserved = n.reserved, settled = n.settled, "
        "overdraft = n.overdraft, variance = n.variance, moved = n.moved "
        "FROM unnest($4::int[], $5::bigint[], $6::bigint[], $7::bigint[], $8::text[], "
        "$9::bigint[]) AS n(place, reserved, settled, overdraft, variance, moved) "
        "WHERE p.place = n.place) "
        "UPDATE head SET seq = $10, at = $11, chain = $12 RETURNING xmin"
    ),
    "hasten": "SET LOCAL synchronous_commit TO off",
    "commit": "COMMIT",
    # a transaction of its own, whose commit waits until the log is on disk up to there: with it
    # are those before it, whoever wrote them. One that wrote nothing would not wait
    "flush": "SELECT pg_logical_emit_message(true, 'incentive', '')",
}
"""What a batch runs; `concerned` are the decisions that it names, its users have, or ran out."""

ANSWERS: Final = {
    "answered": (bytes_of, bytes_of, int, int, int, text_of, int, bytes_of),
    "concerned": (
        int, text_of, text_of, text_of, text_of, text_of, int, int, int, text_of, int, int, int,
        float, int, text_of,
    ),
    "pool": (int, int, int, int, int),
    "newest": (int, int, text_of),
    "acted": (int, int, int, text_of, text_of, text_of, text_of, bytes_of),
}  # fmt: skip
"""How the columns of each statement's answer are read."""
