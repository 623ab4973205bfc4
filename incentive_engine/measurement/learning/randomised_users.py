"""Who got an arm by lot in a campaign, which, and how likely it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from incentive_engine.allocation.build import build_problem
from incentive_engine.data.row_checks import as_id
from incentive_engine.data.scores import ScoreTable
from incentive_engine.data.sources import read_table
from incentive_engine.data.tables.arrow import as_numpy, equal, numbers, whole
from incentive_engine.data.trials.exploring import explored_share, propensity_by_lot
from incentive_engine.data.trials.holdout import held_shares
from incentive_engine.domain import MICROS, BoolArray, ChoiceArray, FloatArray, IntArray, Reason
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say
from incentive_engine.run.finished import FinishedRun
from incentive_engine.run.format import RunFile


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decisions:
    """What was decided about each of a run's n users.

    Attributes
    ----------
    came : (n,) bool
        Who was decided on: in a batch everybody.
    choice : (n,) int16
        The offer, −1 for none.
    held, explored : (n,) bool
        The holdout, and those whose arm was drawn by lot.
    propensity : (n,) float64
        As it was logged.
    at : (n,) int64
        When, microseconds since 1970; 0 for who did not come.
    paid : (n,) float64, or None
        What was redeemed, currency units; None where only outcomes can say it.
    """

    came: BoolArray
    choice: ChoiceArray
    held: BoolArray
    explored: BoolArray
    propensity: FloatArray
    at: IntArray
    paid: FloatArray | None = None


def planned_decisions(run: FinishedRun, table: ScoreTable) -> Decisions:
    """Return what a batch decided.

    Raises
    ------
    DataError
        When the allocation has other users than the scores.
    """
    file = run.directory / RunFile.ALLOCATION
    plan = read_table(file, ["user_id", "offer_id", "reason", "propensity"])
    if not as_id(plan.column("user_id")).equals(table.user_id):
        what = "has other users than scores.parquet, or in another order"
        raise DataError(Fault(str(file), what, remedy="run `incentive verify`"))
    place = pc.index_in(plan.column("offer_id"), value_set=pa.array(run.policy.offer_ids))
    propensity = numbers(plan.column("propensity")).astype(np.float64)
    holdout = equal(plan.column("reason"), Reason.HOLDOUT)
    created = run.created or datetime.now(UTC)
    return Decisions(
        came=np.ones(table.n_users, dtype=np.bool_),
        choice=as_numpy(whole(pc.fill_null(place, -1))).astype(np.int16),
        held=holdout,
        explored=~holdout & (propensity < 1.0),
        propensity=propensity,
        at=np.full(table.n_users, round(created.timestamp() * MICROS), dtype=np.int64),
    )


class ServedDecision(NamedTuple):
    """A decision of a ledger: money in millionths, times in microseconds since 1970."""

    user_id: str
    offer_id: str | None
    reason: str
    state: str
    amount: int | None
    decided_at: int
    propensity: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ServedLedger:
    """A ledger: where it is, the digest of its run, and its decisions in order."""

    where: str
    run: str
    decisions: Sequence[ServedDecision]


def live_decisions(run: FinishedRun, table: ScoreTable, served: ServedLedger) -> Decisions:
    """Return what a ledger's first decision about each user of the run was.

    An explorer whose offer the pool no longer had got nothing, and not by lot: he is no explorer.

    Raises
    ------
    DataError
        When it is another run's.
    """
    if served.run != run.digest:
        what, remedy = "it is the ledger of another run", "name the run that was served"
        raise DataError(Fault(served.where, what, say("learn.that_of", run=run.name), remedy))
    place = {str(user): row for row, user in enumerate(table.user_id.to_pylist())}
    return _first_decisions(served.decisions, place, run.policy.offer_ids)


def _first_decisions(
    decisions: Sequence[ServedDecision], place: dict[str, int], offers: tuple[str, ...]
) -> Decisions:
    n = len(place)
    first = Decisions(
        came=np.zeros(n, dtype=np.bool_),
        choice=np.full(n, -1, dtype=np.int16),
        held=np.zeros(n, dtype=np.bool_),
        explored=np.zeros(n, dtype=np.bool_),
        propensity=np.ones(n),
        at=np.zeros(n, dtype=np.int64),
        paid=np.zeros(n),
    )
    assert first.paid is not None
    for user, offer, reason, state, amount, at, propensity in decisions:
        if (row := place.get(user)) is None:
            continue
        if state == "redeemed":
            first.paid[row] += (amount or 0) / MICROS
        if first.came[row]:
            continue
        first.came[row], first.at[row], first.propensity[row] = True, at, propensity
        first.choice[row] = -1 if offer is None else offers.index(offer)
        first.held[row] = reason == Reason.HOLDOUT
        by_lot = reason in {Reason.OFFERED, Reason.EXPLORED} and propensity < 1.0
        first.explored[row] = by_lot and not first.held[row]
    return first


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RandomisedUsers:
    """The users whom a campaign randomised.

    Attributes
    ----------
    rows : (r,) int64
        Among the run's users.
    propensity : (r,) float64
        Of the arm, among all that chance could give to who is of the holdout or explores.
    reach : (r, k) bool
        Which offers each could get.
    """

    rows: IntArray
    propensity: FloatArray
    reach: BoolArray


def lots_of(run: FinishedRun, table: ScoreTable, decisions: Decisions) -> RandomisedUsers:
    """Return the trial inside a campaign.

    Raises
    ------
    DataError
        When nobody explored, or logged propensities are not those of the arms that users could
        get.
    """
    policy = run.policy
    nobody = np.zeros(table.n_users, dtype=np.bool_)
    value = build_problem(policy.without_exploring(), table, nobody).value
    reach = (value > -np.inf).T
    has_control, offers = policy.assignment == "at_most_one", reach.sum(axis=1)
    _check_propensities(run, decisions, offers + int(has_control))
    rows = np.flatnonzero(decisions.came & (decisions.held | decisions.explored))
    strata = table.attributes.select(policy.holdout_strata)
    plan = planned_decisions(run, table)
    propensity = propensity_by_lot(
        decisions.choice[rows],
        offers=offers[rows],
        held=held_shares(strata, plan.held)[rows],
        explored=explored_share(plan.held, share=policy.explore),
        with_control=has_control,
    )
    return RandomisedUsers(rows=rows, propensity=propensity, reach=reach[rows])


def _check_propensities(run: FinishedRun, decisions: Decisions, arms: IntArray) -> None:
    explored = decisions.explored
    if not explored.any():
        what = "nobody explored: a holdout alone says nothing of what offers change"
        remedy = "plan the next campaign with `explore: 2%`"
        raise DataError(Fault(run.name, what, "users whose arm was drawn by lot", remedy))
    near = 1e-9
    wrong = explored & (np.abs(decisions.propensity * arms - 1.0) > near)
    if wrong.any():
        count = int(wrong.sum())
        text = say("learn.propensities", users=count)
        expected = "one over the number of arms that the user could get"
        raise DataError(Fault(run.name, text, expected, "run `incentive verify`"))
