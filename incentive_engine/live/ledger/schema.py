"""The tables of a ledger, version by version.

`entries` and `actions` are only ever appended to. `decisions` holds what was decided, and where
that stands now; `requests` which entry answered a key; `pool` the sums of each limit; `prices`
those that were published; `head` the end of the chain. The check on `pool` is the last line of
defence: whatever the program does, the database takes no sum above the run's cap but for what
redemptions cost more than was expected.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say


class Migration(NamedTuple):
    """What brings a ledger to its next version: wherever it is, or in a file alone."""

    anywhere: str = ""
    file: str = ""


MIGRATIONS: Final = (
    Migration("""
CREATE TABLE meta (name TEXT PRIMARY KEY, content TEXT NOT NULL);
CREATE TABLE head (
  only_one INTEGER PRIMARY KEY CHECK (only_one = 1),
  seq BIGINT NOT NULL, at BIGINT NOT NULL, chain BLOB NOT NULL
);
CREATE TABLE pool (
  place INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
  is_count INTEGER NOT NULL, settles_amount INTEGER NOT NULL,
  at_most BIGINT, at_least BIGINT, price DOUBLE PRECISION NOT NULL, risk TEXT,
  reserved BIGINT NOT NULL, settled BIGINT NOT NULL, overdraft BIGINT NOT NULL,
  variance TEXT NOT NULL,
  CHECK (at_most IS NULL OR reserved + settled <= at_most + overdraft)
);
CREATE TABLE decisions (
  seq INTEGER PRIMARY KEY, user_id TEXT NOT NULL, offer_id TEXT, reason TEXT NOT NULL,
  state TEXT NOT NULL, scene TEXT, cost BIGINT NOT NULL, face BIGINT NOT NULL, amount BIGINT,
  claims TEXT NOT NULL, decided_at BIGINT NOT NULL, expires_at BIGINT,
  prices_version BIGINT NOT NULL, propensity DOUBLE PRECISION NOT NULL, last BIGINT NOT NULL
);
CREATE UNIQUE INDEX live_user ON decisions (user_id) WHERE state IN ('reserved', 'redeemed');
CREATE INDEX expiring ON decisions (expires_at) WHERE state = 'reserved';
CREATE TABLE entries (
  seq INTEGER PRIMARY KEY, at BIGINT NOT NULL, decision BIGINT NOT NULL, state TEXT NOT NULL,
  amount BIGINT, chain BLOB NOT NULL
);
CREATE TABLE requests (key BLOB PRIMARY KEY, digest BLOB NOT NULL, entry BIGINT NOT NULL)
"""),
    Migration("""
CREATE TABLE actions (
  seq INTEGER PRIMARY KEY, at BIGINT NOT NULL, after BIGINT NOT NULL, key TEXT NOT NULL,
  verb TEXT NOT NULL, name TEXT NOT NULL, change TEXT NOT NULL, chain BLOB NOT NULL
);
ALTER TABLE pool ADD COLUMN moved BIGINT
"""),
    Migration("""
CREATE TABLE prices (version BIGINT PRIMARY KEY, at BIGINT NOT NULL, content TEXT NOT NULL)
"""),
    # what comes in no order is indexed by `stores.change_buffer`; PostgreSQL sees to it itself
    Migration(
        file="""
CREATE TABLE keyed AS SELECT key, digest, entry FROM requests ORDER BY rowid;
DROP TABLE requests;
CREATE TABLE requests (
  seq INTEGER PRIMARY KEY, key BLOB NOT NULL, digest BLOB NOT NULL, entry BIGINT NOT NULL
);
INSERT INTO requests (key, digest, entry) SELECT key, digest, entry FROM keyed ORDER BY rowid;
DROP TABLE keyed;
DROP INDEX live_user;
CREATE TABLE request_index (digest BLOB PRIMARY KEY, seq BIGINT NOT NULL) WITHOUT ROWID;
INSERT INTO request_index SELECT key, seq FROM requests ORDER BY key;
CREATE TABLE live_index (digest BLOB PRIMARY KEY, seq BIGINT NOT NULL) WITHOUT ROWID;
INSERT INTO live_index SELECT digest(user_id) AS digest, seq FROM decisions
  WHERE state IN ('reserved', 'redeemed') ORDER BY digest;
CREATE TABLE index_marks (name TEXT PRIMARY KEY, seq BIGINT NOT NULL);
INSERT INTO index_marks SELECT 'request_index', coalesce(max(seq), 0) FROM requests;
INSERT INTO index_marks SELECT 'live_index', coalesce(max(seq), 0) FROM head
"""
    ),
)
"""What changes from version to version; where a step does nothing, the version stays."""


def newest_version(*, is_file: bool) -> int:
    """Return the version that `scripts_from` brings a ledger to."""
    return len(_scripts(is_file=is_file))


class Query(StrEnum):
    """What every reader of a ledger asks in the same words."""

    POOL = (
        "SELECT name, is_count, settles_amount, at_most, at_least, price, risk, "
        "reserved, settled, overdraft, variance, moved FROM pool ORDER BY place"
    )
    """The limits, as `store.limit_of` takes them."""
    ACTIONS = "SELECT seq, at, after, key, verb, name, change, chain FROM actions ORDER BY seq"
    """What was answered to findings, in the order of `records.Action`."""
    NEWEST_PRICES = "SELECT version, at, content FROM prices ORDER BY version DESC LIMIT 1"


def scripts_from(version: int, where: str, *, is_file: bool) -> tuple[str, ...]:
    """Return the scripts that bring a ledger of a version up to date; 0 is an empty one.

    Raises
    ------
    DataError
        When the ledger is of a later version than this program knows.
    """
    if version > (newest := newest_version(is_file=is_file)):
        what = say("is a ledger of version {version}", version=version)
        expected = say("at most {version}", version=newest)
        raise DataError(Fault(where, what, expected, "use a newer program"))
    return _scripts(is_file=is_file)[version:]


def _scripts(*, is_file: bool) -> tuple[str, ...]:
    scripts = (step.anywhere or step.file if is_file else step.anywhere for step in MIGRATIONS)
    return tuple(script for script in scripts if script)
