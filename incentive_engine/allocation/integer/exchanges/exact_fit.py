"""A selection whose sums hit narrow bounds: a few users change so that all of it adds up.

Where a budget must be spent to the last cent, nearly every plan misses it by less than one offer.
Of a few hundred users near a tie, however, many sets of four change the sum by just what is
missing: sums of two changes are sorted, and for each of them another two are looked up.

References
----------
Horowitz and Sahni, "Computing partitions with applications to the knapsack problem" (1974).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from incentive_engine.allocation.integer.programs.cp_sat import Selection, SelectionAnswer
from incentive_engine.allocation.solver_report import Status
from incentive_engine.domain import BoolArray, FloatArray, IntArray


@dataclass(slots=True, kw_only=True, eq=False)
class Changes:
    """What each user could have instead.

    Attributes
    ----------
    user, pair
        (m,) int64, who, and the pair that is chosen then, −1 for none.
    loss
        (m,) float64, of the score.
    sums
        (r, m) int64, by how much rows change.
    """

    user: IntArray
    pair: IntArray
    loss: FloatArray
    sums: IntArray

    def some(self, places: IntArray) -> Changes:
        """Return some of them."""
        return Changes(
            user=self.user[places],
            pair=self.pair[places],
            loss=self.loss[places],
            sums=self.sums[:, places],
        )


def fit(selection: Selection, score: FloatArray, *, most: int) -> SelectionAnswer:
    """Return the selection of a hint, changed so that every row holds.

    Rows that do not hold are fitted one after the other, those that the fewest users touch first;
    what a row was fitted by is left alone by the next ones. Where no bounds of these rows meet, as
    far as single changes go, nothing is looked for: programs find plans there.

    Parameters
    ----------
    score
        (p,) float64, the pairs' values less what they pay at the prices of the limits.
    most
        Changes that are put together, those that lose least.
    """
    # entries that are held at once: more limits are not fitted
    largest = 2**24
    if np.prod(selection.matrix.shape) > largest:
        return SelectionAnswer(status=Status.UNKNOWN)
    fitted = _Fitted(selection, score, most=most)
    broken = fitted.broken()
    if len(broken) and not any(map(fitted.is_narrow, broken)):
        return SelectionAnswer(status=Status.UNKNOWN)
    for row in broken:
        if not fitted.fit(row):
            return SelectionAnswer(status=Status.UNKNOWN)
    if len(fitted.broken()):
        return SelectionAnswer(status=Status.UNKNOWN)
    return SelectionAnswer(status=Status.FEASIBLE, chosen=fitted.chosen())


class _Fitted:
    """A selection that is changed until its rows hold."""

    def __init__(self, selection: Selection, score: FloatArray, *, most: int) -> None:
        self._most = most
        users, user = np.unique(selection.group, return_inverse=True)
        self._now = np.full(len(users), -1)
        self._now[user[selection.hint]] = np.flatnonzero(selection.hint)
        pair = np.arange(len(score))
        if not selection.forced:
            user = np.concatenate([user, np.arange(len(users))])
            pair = np.concatenate([pair, np.full(len(users), -1)])
        # one column more: what no pair adds
        self._score = np.append(score, 0.0)
        amounts = np.asarray(selection.matrix.todense(), dtype=np.int64)
        self._amounts = np.pad(amounts, ((0, 0), (0, 1)))
        self._lower, self._upper = _bounds(selection, amounts)
        self._user, self._pair = user.astype(np.int64), pair
        self._used = self._amounts[:, self._now].sum(axis=1)
        self._settled = np.zeros(len(amounts), dtype=np.bool_)

    def chosen(self) -> BoolArray:
        """Return (p,) bool, which pairs are chosen."""
        taken = np.zeros(len(self._score), dtype=np.bool_)
        taken[self._now[self._now >= 0]] = True
        return taken[:-1]

    def broken(self) -> IntArray:
        """Return the rows that do not hold, those that the fewest pairs touch first."""
        rows = np.flatnonzero((self._used < self._lower) | (self._used > self._upper))
        touched = np.count_nonzero(self._amounts[rows], axis=1)
        return np.asarray(rows[np.argsort(touched, kind="stable")])

    def is_narrow(self, row: int) -> bool:
        """Return whether the bounds of a row are so close that hardly any plan hits them."""
        amounts = np.abs(self._amounts[row])
        usual = np.median(amounts[amounts > 0]) if amounts.any() else 0
        # the part of a usual amount that programs still hit
        close = 0.01
        return bool(self._upper[row] - self._lower[row] < close * usual)

    def fit(self, row: int) -> bool:
        """Change users until a row holds; False where none of the sets looked at does it."""
        changes = self._changes(row)
        # changes one by one, at most: what is further away is left to programs
        steps = 300
        for _ in range(steps):
            if not len(changes.user) or not self._is_far(row, changes):
                break
            changes = self._step(row, changes)
        sets = [*self._sets(row, changes)]
        if not sets:
            return False
        for some, place in min(sets, key=_loss):
            self._change(some, place)
        self._settled[row] = True
        return True

    def _sets(self, row: int, changes: Changes) -> Iterator[list[tuple[Changes, int]]]:
        """Yield some sets that make a row hold: one that loses little is among them.

        Four changes do, or four after a first one, which is another each time.
        """
        # sets of two that are looked at in all, once there is an answer
        most = 500_000
        each, looked_at, is_found = min(len(changes.user), self._most) ** 2 // 2 + 1, 0, False
        # changes that are tried as the first one, those that lose least
        tries = 100
        for first in (-1, *np.argsort(changes.loss, kind="stable")[:tries].tolist()):
            if is_found and looked_at > most:
                return
            looked_at += each
            answer = self._set_after(row, changes, first)
            if answer is not None:
                is_found = True
                yield answer

    def _set_after(
        self, row: int, changes: Changes, first: int
    ) -> list[tuple[Changes, int]] | None:
        """Return the changes of the best set that has a first one; None where there is no set."""
        if first == -1:
            places = self._best_set(row, changes, self._used)
            return None if places is None else [(changes, place) for place in places.tolist()]
        others = changes.some(np.flatnonzero(changes.user != changes.user[first]))
        places = self._best_set(row, others, self._used + changes.sums[:, first])
        if places is None:
            return None
        return [(changes, first), *((others, place) for place in places.tolist())]

    def _changes(self, row: int) -> Changes:
        """Return the changes that touch a row, and none of those that were fitted before."""
        before = self._now[self._user]
        sums = self._amounts[:, self._pair] - self._amounts[:, before]
        keeps = ~np.any(sums[self._settled] != 0, axis=0)
        places = np.flatnonzero((sums[row] != 0) & keeps)
        return Changes(
            user=self._user[places],
            pair=self._pair[places],
            loss=self._score[before[places]] - self._score[self._pair[places]],
            sums=sums[:, places],
        )

    def _missing(self, row: int, used: IntArray) -> tuple[int, int]:
        """Return by how much a row must change at least and at most where all use so much."""
        return int(self._lower[row] - used[row]), int(self._upper[row] - used[row])

    def _is_far(self, row: int, changes: Changes) -> bool:
        """Return whether more than one change of the usual size is missing."""
        least, most = self._missing(row, self._used)
        usual = int(np.median(np.abs(changes.sums[row])))
        return least > usual or most < -usual

    def _step(self, row: int, changes: Changes) -> Changes:
        """Make the change that loses least for how much it brings; return those that are left."""
        least, _ = self._missing(row, self._used)
        brought = changes.sums[row] * (1 if least > 0 else -1)
        useful = np.flatnonzero((brought > 0) & self._harmless(changes.sums, row, self._used))
        if not len(useful):
            return changes.some(np.empty(0, dtype=np.int64))
        place = int(useful[np.argmin(changes.loss[useful] / brought[useful])])
        self._change(changes, place)
        return changes.some(np.flatnonzero(changes.user != changes.user[place]))

    def _change(self, changes: Changes, place: int) -> None:
        self._now[changes.user[place]] = changes.pair[place]
        self._used = self._used + changes.sums[:, place]

    def _harmless(self, sums: IntArray, row: int, used: IntArray) -> BoolArray:
        """Return which changes (r, m) break no row that holds, but for the one to be fitted."""
        after = used[:, None] + sums
        breaks = (after < self._lower[:, None]) | (after > self._upper[:, None])
        within_bounds = (self._used >= self._lower) & (self._used <= self._upper)
        within_bounds[row] = False
        return np.asarray(~np.any(breaks[within_bounds], axis=0))

    def _best_set(self, row: int, changes: Changes, used: IntArray) -> IntArray | None:
        """Return the set of at most four changes that loses least and makes a row hold."""
        few = np.argsort(changes.loss, kind="stable")[: self._most]
        amount = np.append(changes.sums[row, few], 0)
        loss = np.append(changes.loss[few], 0.0)
        # two different ones, of which the last is none; and none at all
        first, second = (
            np.append(places, len(few)) for places in np.triu_indices(len(amount), k=1)
        )
        two = amount[first] + amount[second]
        order = np.argsort(two, kind="stable")
        first, second, two = first[order], second[order], two[order]
        least, most = self._missing(row, used)
        start = np.searchsorted(two, least - two, side="left")
        count = np.searchsorted(two, most - two, side="right") - start
        one, other = _matches(start, count, loss[first] + loss[second])
        places = np.stack([first[one], second[one], first[other], second[other]])
        return self._cheapest(row, changes, np.append(few, -1)[places], used)

    def _cheapest(
        self, row: int, changes: Changes, sets: IntArray, used: IntArray
    ) -> IntArray | None:
        """Return the changes of the set that loses least of those that may be made.

        Parameters
        ----------
        sets
            (4, s) int64, places of changes, −1 for none.
        """
        user = np.append(changes.user, -1)[sets]
        # nobody changes twice; sets without a change are told apart by their place
        own = np.where(user == -1, -2 - np.arange(len(sets))[:, None], user)
        ordered = np.sort(own, axis=0)
        alone = np.flatnonzero(np.all(ordered[1:] != ordered[:-1], axis=0))
        loss = np.append(changes.loss, 0.0)[sets[:, alone]].sum(axis=0)
        sums = np.pad(changes.sums, ((0, 0), (0, 1)))
        # a block at a time, the cheapest first
        block = 1_000
        ranked = alone[np.argsort(loss, kind="stable")]
        for begin in range(0, len(ranked), block):
            some = ranked[begin : begin + block]
            good = np.flatnonzero(self._harmless(sums[:, sets[:, some]].sum(axis=1), row, used))
            if len(good):
                chosen = sets[:, some[good[0]]]
                return np.asarray(chosen[chosen != -1])
        return None


def _loss(some: list[tuple[Changes, int]]) -> float:
    return float(sum(changes.loss[place] for changes, place in some))


def _bounds(selection: Selection, amounts: IntArray) -> tuple[IntArray, IntArray]:
    """Return the lower and upper bounds of rows; rows of the same amounts share them.

    A budget that must be spent whole is two rows, neither of which tells how narrow they are.
    """
    # what has no bound holds whatever is chosen
    far = 2**62
    lower = np.array([-far if x is None else x for x in selection.lower])
    upper = np.array([far if x is None else x for x in selection.upper])
    _, alike = np.unique(amounts, axis=0, return_inverse=True)
    least, most = np.full(len(lower), -far), np.full(len(upper), far)
    np.maximum.at(least, alike.ravel(), lower)
    np.minimum.at(most, alike.ravel(), upper)
    return least[alike.ravel()], most[alike.ravel()]


def _matches(start: IntArray, count: IntArray, loss: FloatArray) -> tuple[IntArray, IntArray]:
    """Return places of sets of two that belong together, those of little loss first.

    Parameters
    ----------
    start, count
        For each set, where those that go with it begin, and how many they are.
    """
    # sets of four that are compared
    most = 400_000
    known = np.argsort(loss, kind="stable")
    known = known[count[known] > 0]
    # where many go with each, a few of each of them
    each = np.minimum(count[known], max(most // max(len(known), 1), 1))
    known = known[np.cumsum(each) <= most]
    each = each[: len(known)]
    one = np.repeat(known, each)
    within = np.arange(len(one)) - np.repeat(np.cumsum(each) - each, each)
    return one, start[one] + within
