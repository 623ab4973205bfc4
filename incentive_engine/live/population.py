"""The users of a run, one of whom is found by id in microseconds.

Arrays in files that are mapped, not read: sorted hashes of the ids, and for each user the plan's
choice, the attributes and the measures, side by side, so that one user costs a few pages. They are
a cache beside the run, made when it is first served, and may be deleted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from incentive_engine.allocation.decisions.frozen_policy import FrozenPolicy, User
from incentive_engine.data.hashing import Words, hash_ids, state_of
from incentive_engine.data.hashing_kernel import Bytes, hash_texts
from incentive_engine.data.tables.arrow import coded, numbers, text_buffers, whole
from incentive_engine.data.tables.files import atomic_directory
from incentive_engine.domain import AttributeKind, IntArray, Reason, score_column
from incentive_engine.jit import compiled
from incentive_engine.run.format import parts_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A user of the run, and what the plan gives him.

    Attributes
    ----------
    row
        In the run's tables.
    offer_id
        None for none.
    propensity
        With which probability this offer, or none, was drawn; 1 where nothing was random.
    """

    row: int
    user: User
    offer_id: str | None
    reason: Reason
    propensity: float


class RunPopulation:
    """The users of a run.

    Parameters
    ----------
    folder
        What `build` has written.
    frozen
        The run's policy.

    Attributes
    ----------
    is_number
        Whether ids are numbers.
    """

    KEY: ClassVar[bytes] = b"who is this user"
    """The key of the hash that users are found by; ids are compared as well."""
    STATE: ClassVar[npt.NDArray[np.uint64]] = state_of(KEY)
    REASONS: ClassVar[tuple[Reason, ...]] = tuple(Reason)
    FORMAT: ClassVar[int] = 1
    """Of the files."""
    NUMBERS: ClassVar[frozenset[str]] = frozenset({"integer", "truth", "number", "single"})
    """Kinds of attributes that are kept as float64; others as places among their labels."""

    def __init__(self, folder: Path, frozen: FrozenPolicy) -> None:
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        self._frozen = frozen
        self._offers = frozen.policy.offer_ids
        self.is_number = about["ids"] == "integer"
        self._labels: dict[str, list[str]] = about["labels"]
        self._kinds: Mapping[str, AttributeKind] = frozen.kinds
        self._hashes = _mapped(folder, "hashes")
        self._rows = _mapped(folder, "rows")
        self._ends = _mapped(folder, "id_ends")
        self._ids = _mapped(folder, "ids")
        self._choice = _mapped(folder, "choice")
        self._reason = _mapped(folder, "reason")
        self._propensity = _mapped(folder, "propensity")
        self._attributes = _mapped(folder, "attributes")
        self._measures = _mapped(folder, "measures")

    def __len__(self) -> int:
        return len(self._hashes)

    @classmethod
    def open(cls, folder: Path, run: Path, frozen: FrozenPolicy) -> Self:
        """Return a run's users, from the cache in a folder, which is made where it is missing."""
        if not folder.is_dir():
            with atomic_directory(folder) as inside:
                build(run, frozen, inside)
        return cls(folder, frozen)

    def find(self, user_id: int | str) -> Planned | None:
        """Return a user by id; an integer is the same as its decimal digits."""
        row = self.row_of(user_id)
        return None if row is None else self._planned(row, str(user_id))

    def row_of(self, user_id: int | str) -> int | None:
        """Return where a user stands in the run's tables; None for an unknown one."""
        content = np.frombuffer(str(user_id).encode(), dtype=np.uint8)
        row = _find_row(self._hashes, self._rows, self._ends, self._ids, content, self.STATE)
        return None if row < 0 else int(row)

    def rows_of(self, user_ids: pa.Array) -> IntArray:
        """Return (m,) int64 the rows of many users, −1 for who is unknown.

        They are told apart by their 64-bit hashes alone, which is enough to count them.
        """
        wanted = hash_ids(user_ids, self.KEY)
        place = np.searchsorted(self._hashes, wanted).clip(max=len(self._hashes) - 1)
        is_known = self._hashes[place] == wanted
        return np.where(is_known, self._rows[place].astype(np.int64), -1)

    def offers_at(self, offer_ids: Sequence[str | None]) -> npt.NDArray[np.int16]:
        """Return (m,) int16 where each offer stands in the policy, −1 for none."""
        return _places(pa.chunked_array([pa.array(offer_ids, pa.string())]), self._offers)

    def _planned(self, row: int, text: str) -> Planned:
        choice = int(self._choice[row])
        attributes = {
            name: self._value(name, value)
            for name, value in zip(self._kinds, self._attributes[row].tolist(), strict=True)
        }
        measures = self._measures[row].tolist()
        return Planned(
            row=row,
            user=User(
                user_id=int(text) if self.is_number else text,
                attributes=attributes,
                measures=dict(zip(self._frozen.measures, measures, strict=True)),
            ),
            offer_id=None if choice < 0 else self._frozen.policy.offer_ids[choice],
            reason=self.REASONS[int(self._reason[row])],
            propensity=float(self._propensity[row]),
        )

    def _value(self, name: str, value: float) -> Any:  # noqa: ANN401 - of any attribute
        if value != value:  # noqa: PLR0124 - NaN is missing
            return None
        return value if self._kinds[name] in self.NUMBERS else self._labels[name][int(value)]


def build(run: Path, frozen: FrozenPolicy, folder: Path) -> None:
    """Write the arrays of a run's users into an empty folder."""
    plan = pq.read_table(run / "allocation.parquet", columns=_columns(run))
    ids = whole(plan.column("user_id"))
    is_number = pa.types.is_integer(ids.type)
    hashes = hash_ids(ids, RunPopulation.KEY)
    order = np.argsort(hashes, kind="stable")
    ends, content = text_buffers(ids.cast(pa.large_string()))
    offers, n = frozen.policy.offer_ids, len(ids)
    propensity = np.ones(n)
    if "propensity" in plan.column_names:
        propensity = numbers(plan.column("propensity")).astype(np.float64)
    columns: dict[str, npt.NDArray[Any]] = {
        "hashes": hashes[order],
        "rows": order.astype(np.uint32),
        "id_ends": ends.astype(np.int64) - int(ends[0]),
        "ids": content[int(ends[0]) : int(ends[-1])],
        "choice": _places(plan.column("offer_id"), offers),
        "reason": _places(plan.column("reason"), RunPopulation.REASONS),
        "propensity": propensity,
    }
    del plan
    labels: dict[str, list[str]] = {}
    scores = run / "scores.parquet"
    columns["attributes"] = _attributes(scores, frozen, labels, n)
    for name, column in columns.items():
        np.save(folder / f"{name}.npy", np.ascontiguousarray(column))
    _write_measures(scores, frozen, folder / "measures.npy", n)
    about = {
        "format": RunPopulation.FORMAT,
        "ids": "integer" if is_number else "text",
        "labels": labels,
    }
    (folder / "about.json").write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")


def _columns(run: Path) -> list[str]:
    names = pq.read_schema(parts_of(run / "allocation.parquet")[0]).names
    return ["user_id", "offer_id", "reason", *(["propensity"] if "propensity" in names else [])]


def _places(column: pa.ChunkedArray, names: tuple[str, ...]) -> npt.NDArray[np.int16]:
    """Return (n,) int16, where each text stands among others, −1 for a missing one."""
    texts = whole(column.cast(pa.string()))
    places = pc.fill_null(pc.index_in(texts, pa.array(list(map(str, names)))), -1)
    return np.asarray(places.to_numpy(zero_copy_only=False), dtype=np.int16)


def _attributes(
    scores: Path, frozen: FrozenPolicy, labels: dict[str, list[str]], n: int
) -> npt.NDArray[np.float64]:
    """Return (n, a) float64 the attributes: numbers, or places among labels; NaN is missing."""
    attributes = np.full((n, len(frozen.kinds)), np.nan)
    for at, (name, kind) in enumerate(frozen.kinds.items()):
        column = coded(pq.read_table(scores, columns=[name]).column(name))
        if kind in RunPopulation.NUMBERS:
            attributes[:, at] = numbers(column)
            continue
        if not pa.types.is_dictionary(column.type):
            column = whole(pc.dictionary_encode(column))
        labels[name] = [str(value) for value in column.dictionary.to_pylist()]
        attributes[:, at] = numbers(column.indices)
    return attributes


def _write_measures(scores: Path, frozen: FrozenPolicy, path: Path, n: int) -> None:
    """Write (n, m, k) the measures of each pair, NaN where it has none, all of a user together."""
    offers = frozen.policy.offer_ids
    schema = pq.read_schema(scores)
    names = {(m, o): score_column(m, o) for m in frozen.measures for o in offers}
    kinds = {schema.field(name).type for name in names.values() if name in schema.names}
    dtype = np.float32 if kinds == {pa.float32()} else np.float64
    shape = (n, len(frozen.measures), len(offers))
    into = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    start = 0
    columns = [name for name in names.values() if name in schema.names]
    for batch in pq.ParquetFile(scores, pre_buffer=False).iter_batches(1 << 17, columns=columns):
        rows = slice(start, start + batch.num_rows)
        for (measure, offer), name in names.items():
            place = frozen.measures.index(measure), offers.index(offer)
            is_scored = name in schema.names
            into[rows, place[0], place[1]] = numbers(batch.column(name)) if is_scored else np.nan
        start = rows.stop
    into.flush()


def _mapped(folder: Path, name: str) -> npt.NDArray[Any]:
    return np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r"))


@compiled
def _find_row(  # noqa: PLR0917 - a compiled loop takes its arguments by position
    hashes: Words,
    rows: npt.NDArray[np.uint32],
    ends: npt.NDArray[np.int64],
    ids: Bytes,
    content: Bytes,
    state: Words,
) -> int:
    """Return the row of the user with an id, −1 for none.

    Parameters
    ----------
    hashes
        (n,) uint64, sorted, `data.hashing.hash_ids` of the ids.
    rows
        (n,) uint32, whose hash each is.
    ends
        (n + 1,) int64, where each row's id begins in `ids`, and the last one ends.
    content
        The id that is sought, UTF-8.
    state
        (4,) uint64, what `hashing.state_of` gives for the key.
    """
    hashed = np.empty(1, dtype=np.uint64)
    hash_texts(np.array([0, len(content)]), content, state, hashed)
    wanted = hashed[0]
    low, high = 0, len(hashes)
    while low < high:
        middle = (low + high) // 2
        if hashes[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    while low < len(hashes) and hashes[low] == wanted:
        row = rows[low]
        begin, size = ends[row], ends[row + 1] - ends[row]
        if size == len(content):
            same = True
            for at in range(size):
                if ids[begin + at] != content[at]:
                    same = False
                    break
            if same:
                return int(row)
        low += 1
    return -1
