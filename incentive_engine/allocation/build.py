"""From a policy and a score table to a problem."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from incentive_engine.allocation.cells import draw_cells
from incentive_engine.allocation.explorers import Explorers
from incentive_engine.allocation.problem import Problem, Question
from incentive_engine.allocation.stated_limits import limits_of, pool_of, summed_measures
from incentive_engine.allocation.weights import Medians, medians_of, weights_of
from incentive_engine.config.policy import Policy
from incentive_engine.data.columns.conditions import matches
from incentive_engine.data.hashing import hash_ids
from incentive_engine.data.scores import ScoreTable
from incentive_engine.data.tables.arrow import FloatColumn, whole
from incentive_engine.data.tables.mapped_pages import let_go
from incentive_engine.data.tables.scratch import make_room, strides
from incentive_engine.data.trials.exploring import arm_key, draw_arms, explorers_of
from incentive_engine.domain import (
    CONVERSION,
    COST,
    MICROS,
    OFFER_MEASURES,
    SPEND,
    BoolArray,
    Columns,
    FloatArray,
    to_micros,
)


def build_problem(policy: Policy, scores: ScoreTable, holdout: BoolArray) -> Problem:
    """Return the problem that a policy states about scored users.

    Parameters
    ----------
    holdout
        (n,) bool, users that never get an offer; of the others the policy's share explores.

    Raises
    ------
    ConfigError
        With every limit that cannot be stated: a percentage of a budget that is not given, or
        bounds that contradict each other once percentages are resolved.
    """
    question, members = build_question(policy, scores, holdout)
    return replace(state_users(policy, scores, members), limits=question.limits)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Members:
    """What only all users together say of each of some.

    Attributes
    ----------
    holdout
        (n,) bool, who never gets an offer.
    explores
        (n,) bool, who gets an arm by lot if there is a choice; None for nobody.
    cell
        (n,) uint16 or uint32, the user's cell.
    n_cells
        How many cells there are.
    medians
        What the powers of weights are relative to.
    """

    holdout: BoolArray
    explores: BoolArray | None
    cell: npt.NDArray[Any]
    n_cells: int
    medians: Medians

    def part(self, rows: slice) -> Members:
        """Return the same of some of the users."""
        explores = None if self.explores is None else self.explores[rows]
        return replace(self, holdout=self.holdout[rows], explores=explores, cell=self.cell[rows])


def build_question(
    policy: Policy, scores: ScoreTable, holdout: BoolArray
) -> tuple[Question, Members]:
    """Return what a policy asks of scored users, and what it says of them by all of them.

    Parameters and errors are those of `build_problem`; measures are not looked at.
    """
    cells = draw_cells(policy, scores.attributes)
    explores = None
    if policy.explore:
        users, _ = explorers_of(scores.user_id, holdout, share=policy.explore, seed=policy.seed)
        explores = np.zeros(scores.n_users, dtype=np.bool_)
        explores[users] = True
    question = Question(
        offers=scores.offers,
        measures=(COST, *summed_measures(policy)),
        face=np.array([offer.face_value for offer in policy.offers], dtype=np.float64),
        n_cells=cells.number,
        limits=limits_of(policy, cells, users=scores.n_users),
        exactly_one=policy.assignment == "exactly_one",
        pool=pool_of(policy),
    )
    return question, Members(
        holdout=np.asarray(holdout, dtype=bool),
        explores=explores,
        cell=cells.label,
        n_cells=cells.number,
        medians=medians_of(scores.attributes, policy.objective.weight),
    )


def state_users(policy: Policy, scores: ScoreTable, members: Members) -> Problem:
    """Return a policy's problem of scored users, or of some of them, without its limits."""
    measures = (COST, *summed_measures(policy))
    kind = _kind_of(policy, scores, measures)
    weight = weights_of(scores.attributes, policy.objective.weight, members.medians)
    value = _values(policy, scores, weight, members.holdout, kind)
    explorers = _explorers(policy, scores, members.explores, value)
    if explorers is not None:
        # no price decides on them; their own value is kept apart, with the arm that was drawn
        value[:, explorers.users] = -np.inf
    return Problem(
        offers=scores.offers,
        value=value,
        measures=measures,
        columns=_columns(scores, measures, kind),
        face=np.array([offer.face_value for offer in policy.offers], dtype=np.float64),
        cell=members.cell,
        n_cells=members.n_cells,
        exactly_one=policy.assignment == "exactly_one",
        holdout=members.holdout,
        explorers=explorers,
        weight=weight,
        # ties are broken by a hash with this key; another one would change plans
        key=hash_ids(scores.user_id, b"0123456789123456"),
        pool=pool_of(policy),
    )


def _explorers(
    policy: Policy, scores: ScoreTable, explores: BoolArray | None, value: Columns
) -> Explorers | None:
    """Return who gets an arm by lot, out of (k, n) values; those without a choice do not."""
    if explores is None:
        return None
    users = np.flatnonzero(explores)
    words = hash_ids(whole(scores.user_id).take(pa.array(users)), arm_key(policy.seed))
    # by name, so that the order in which a planner lists offers changes nothing
    order = np.array(sorted(range(len(scores.offers)), key=scores.offers.__getitem__))
    eligible = value[order[:, None], users] > -np.inf
    with_control = policy.assignment == "at_most_one"
    place, propensity = draw_arms(words, eligible, with_control=with_control)
    choice = np.append(order, -1)[place].astype(np.int16)
    drawn = propensity < 1.0
    users, choice = users[drawn], choice[drawn]
    worth = np.where(choice >= 0, value[np.maximum(choice, 0), users], 0.0)
    return Explorers(users=users, choice=choice, value=worth, propensity=propensity[drawn])


def _kind_of(policy: Policy, scores: ScoreTable, measures: tuple[str, ...]) -> np.dtype[Any]:
    """Return float32 where that holds every value and amount as the scores have it."""
    # one float32 measure taken as it is needs no copy; any product would round
    alone = len(policy.objective.maximise) == 1 and not policy.objective.weight
    (first, times), *_ = policy.objective.maximise.items()
    exact = alone and times == 1 and first not in {COST, *OFFER_MEASURES}
    kinds = {scores.measures[name].dtype for name in {first, *measures} & scores.measures.keys()}
    return np.dtype(np.float32 if exact and kinds == {np.dtype(np.float32)} else np.float64)


def _columns(scores: ScoreTable, measures: tuple[str, ...], kind: np.dtype[Any]) -> Columns:
    """Return (m, k, n) of a type; one measure that has it already is shared."""
    if len(measures) == 1 and scores.measures[measures[0]].dtype == kind:
        return scores.measures[measures[0]][None]
    columns: Columns = make_room((len(measures), len(scores.offers), scores.n_users), kind)
    for rows in strides(scores.n_users):
        for m, measure in enumerate(measures):
            columns[m, :, rows] = scores.measures[measure][:, rows]
        let_go()
    return columns


def _values(
    policy: Policy,
    scores: ScoreTable,
    weight: FloatArray,
    holdout: BoolArray,
    kind: np.dtype[Any],
) -> Columns:
    """Return (k, n) what each pair is worth, −inf where it is not eligible."""
    closed = _closed(policy, scores, holdout)
    lacking = {offer: _lacking(policy, scores, offer) for offer in scores.offers}
    value: Columns = make_room((len(scores.offers), scores.n_users), kind)
    for rows in strides(scores.n_users):
        for j, offer in enumerate(scores.offers):
            worth = np.zeros(rows.stop - rows.start)
            for measure, coefficient in policy.objective.maximise.items():
                column = scores.measure(measure, offer)[rows]
                # in float64 for every kind of column, as one user alone is decided on
                exact = _rounded(column) if measure == COST else column.astype(np.float64)
                worth += coefficient * exact
            value[j, rows] = worth * weight[rows]
            value[j, rows][closed[offer][rows]] = -np.inf
            for measure in lacking[offer]:
                value[j, rows][np.isnan(scores.measure(measure, offer)[rows])] = -np.inf
        let_go()
    return value


def _rounded(cost: FloatColumn) -> FloatArray:
    finite = np.isfinite(cost)
    return np.where(finite, to_micros(np.where(finite, cost, 0.0)) / MICROS, np.nan)


def _closed(policy: Policy, scores: ScoreTable, holdout: BoolArray) -> dict[str, BoolArray]:
    """Return for each offer (n,) bool, who may not get it: the holdout, and by the rules."""
    closed = dict.fromkeys(scores.offers, holdout)
    for rule in policy.eligibility:
        refused = ~matches(scores.attributes, rule.where)
        for offer in rule.offers:
            closed[offer] = closed[offer] | refused
    return closed


def _lacking(policy: Policy, scores: ScoreTable, offer: str) -> list[str]:
    """Return the measures that some user lacks of an offer, which must be known to give it."""
    needed = dict.fromkeys((CONVERSION, COST, SPEND, *policy.measures))
    return [measure for measure in needed if (measure, offer) in scores.missing_pairs]
