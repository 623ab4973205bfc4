"""Two runs side by side: what changed in the policy, and who gets something else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from incentive_engine.config.document.places import items_by_name
from incentive_engine.data.sources import read_table
from incentive_engine.domain import MICROS, FloatArray, Reason
from incentive_engine.insight.params import INSIGHT
from incentive_engine.insight.small_groups import shown_apart
from incentive_engine.run.finished import FinishedRun
from incentive_engine.run.format import RunFile


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChange:
    """One field that differs; None where a policy does not have it."""

    where: str
    before: object
    after: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Users who go from one offer to another.

    Attributes
    ----------
    origin, target
        Offer ids, `none` or `holdout`; both None for groups too small to show apart.
    conversions, cost
        By how much their sums change, each by the scores of its own run; cost in currency units.
    """

    origin: str | None
    target: str | None
    users: int
    conversions: float
    cost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunChanges:
    """How one run differs from another.

    Attributes
    ----------
    moved
        The largest groups first.
    same
        Users who get the same in both, nothing included.
    left, joined
        Users of the first run only, and of the second only.
    """

    policy: tuple[PolicyChange, ...]
    moved: tuple[Moved, ...]
    same: int
    left: int
    joined: int


def run_changes(before: FinishedRun, after: FinishedRun) -> RunChanges:
    """Return how the second run differs from the first.

    Raises
    ------
    DataError
        When an allocation cannot be read.
    """
    first, second = (_Rows.of(run.directory) for run in (before, after))
    place = pc.index_in(first.user_id, value_set=second.user_id)
    shared = np.asarray(place.is_valid())
    mine = np.flatnonzero(shared)
    theirs = np.asarray(place.drop_null(), dtype=np.int64)
    names = list(dict.fromkeys([*first.names, *second.names]))
    origin = first.places(names)[mine]
    target = second.places(names)[theirs]
    moved = origin != target
    return RunChanges(
        policy=tuple(policy_changes(before.manifest.policy, after.manifest.policy)),
        moved=_moved(
            names,
            origin[moved],
            target[moved],
            second.conversion[theirs][moved] - first.conversion[mine][moved],
            second.cost[theirs][moved] - first.cost[mine][moved],
        ),
        same=int((~moved).sum()),
        left=int((~shared).sum()),
        joined=len(second.user_id) - len(mine),
    )


def policy_changes(before: object, after: object, where: str = "") -> Iterator[PolicyChange]:
    """Yield where two policies differ, as plain data; items of lists are matched by name.

    >>> old = {"limits": [{"name": "roi", "at_least": 1}], "holdout": 0.1}
    >>> new = {"limits": [{"name": "roi", "at_least": 2}], "holdout": 0.1}
    >>> [change.where for change in policy_changes(old, new)]
    ['limits[roi].at_least']
    """
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys([*before, *after]):
            below = f"{where}.{key}" if where else str(key)
            yield from policy_changes(before.get(key), after.get(key), below)
    # of a list that was or became empty, all is told at once
    elif (first := items_by_name(before)) and (second := items_by_name(after)):
        for name in dict.fromkeys([*first, *second]):
            yield from policy_changes(first.get(name), second.get(name), f"{where}[{name}]")
    else:
        yield PolicyChange(where=where, before=before, after=after)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Rows:
    """What a run gives each user.

    Attributes
    ----------
    place
        (n,) int64, into `names`.
    cost
        (n,) float64, currency units.
    """

    user_id: pa.Array
    place: npt.NDArray[np.int64]
    names: Sequence[str]
    conversion: FloatArray
    cost: FloatArray

    @classmethod
    def of(cls, directory: Path) -> _Rows:
        columns = ("user_id", "offer_id", "conversion", "cost_micros", "reason")
        table = read_table(directory / RunFile.ALLOCATION, columns).combine_chunks()
        is_held = pc.equal(table["reason"], Reason.HOLDOUT.value)
        nothing = "none"
        label = pc.if_else(
            is_held, "holdout", pc.fill_null(table["offer_id"].cast(pa.string()), nothing)
        )
        encoded = label.combine_chunks().dictionary_encode()
        return cls(
            user_id=table["user_id"].cast(pa.string()).combine_chunks(),
            place=np.asarray(encoded.indices, dtype=np.int64),
            names=encoded.dictionary.to_pylist(),
            conversion=np.asarray(table["conversion"], dtype=np.float64),
            cost=np.asarray(table["cost_micros"], dtype=np.float64) / MICROS,
        )

    def places(self, names: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return each user's place among other names."""
        return np.array([names.index(name) for name in self.names], dtype=np.int64)[self.place]


def _moved(
    names: Sequence[str],
    origin: npt.NDArray[np.int64],
    target: npt.NDArray[np.int64],
    conversions: FloatArray,
    cost: FloatArray,
) -> tuple[Moved, ...]:
    size = len(names) ** 2
    code = origin * len(names) + target
    users = np.bincount(code, minlength=size)
    sums = [np.bincount(code, weights=gain, minlength=size) for gain in (conversions, cost)]
    kinds = [int(kind) for kind in np.argsort(-users, kind="stable") if users[kind]]
    apart = set(shown_apart([int(users[kind]) for kind in kinds]))
    moves = [
        Moved(
            origin=names[kind // len(names)],
            target=names[kind % len(names)],
            users=int(users[kind]),
            conversions=float(sums[0][kind]),
            cost=float(sums[1][kind]),
        )
        for place, kind in enumerate(kinds)
        if place in apart
    ]
    small = [kind for place, kind in enumerate(kinds) if place not in apart]
    if sum(int(users[kind]) for kind in small) >= INSIGHT.smallest_group:
        together = np.array(small)
        moves.append(
            Moved(
                origin=None,
                target=None,
                users=int(users[together].sum()),
                conversions=float(sums[0][together].sum()),
                cost=float(sums[1][together].sum()),
            )
        )
    return tuple(moves)
