"""From a finished campaign to rows of a trial, with features as they were."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from incentive_engine.config.access.location import Location, parse_location
from incentive_engine.data.columns.frame_rows import places
from incentive_engine.data.row_checks import as_id
from incentive_engine.data.scores import ScoreTable, read_scores
from incentive_engine.data.sources import open_source
from incentive_engine.data.sources.source import Source
from incentive_engine.data.tables.any_frame import arrow_table
from incentive_engine.data.tables.frames import to_frame
from incentive_engine.data.trials.campaigns import RESERVED, TrialColumn
from incentive_engine.data.trials.outcomes import Outcomes, outcomes_of
from incentive_engine.domain import CONTROL, CONVERSION, COST, SPEND, USER_ID, IntArray
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say
from incentive_engine.measurement.learning.randomised_users import (
    Decisions,
    RandomisedUsers,
    ServedLedger,
    live_decisions,
    lots_of,
    planned_decisions,
)
from incentive_engine.run.finished import FinishedRun, read_run
from incentive_engine.run.format import RunFile


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CampaignRows:
    """What a campaign leaves to the next model.

    Attributes
    ----------
    trial
        The randomised users: user_id, campaign, decided_at, offer, propensity, arms, conversion,
        spend, cost, and their features.
    planned
        The same of those whom the plan alone decided on; no trial, for it chose them.
    features
        The columns that are features.
    held, explored
        How many rows of the trial are of the holdout, and of explorers.
    """

    run: FinishedRun
    campaign: str
    trial: pd.DataFrame
    planned: pd.DataFrame
    features: tuple[str, ...]
    held: int
    explored: int
    strangers: int


def lesson_of(
    run_dir: Path,
    outcomes: Path | Location,
    *,
    served: ServedLedger | None = None,
    users: Path | Location | None = None,
) -> CampaignRows:
    """Return what a finished campaign teaches.

    Parameters
    ----------
    outcomes
        What users did: a row per user, or a row per order.
    served
        The ledger of the run's live decisions; None where the batch went out as it was planned.
    users
        Their features as they were; None takes the run's own input, which must be unchanged.

    Raises
    ------
    DataError
        With what is wrong with run, ledger, outcomes or features.
    """
    run = read_run(run_dir)
    table = read_scores(open_source(run_dir / RunFile.SCORES), run.policy)
    decisions = planned_decisions(run, table)
    if served is not None:
        decisions = live_decisions(run, table, served)
    lots = lots_of(run, table, decisions)
    source = open_source(outcomes, renames=run.policy.data.columns.outcomes)
    did = _outcomes(source, table, run.policy.offer_ids)
    did.refuse_before(decisions.at, where=source.where)
    features = _features(run, table, users)
    by_lot = np.zeros(table.n_users, dtype=np.bool_)
    by_lot[lots.rows] = True
    frame = _rows(run, table, decisions, did)
    frame[TrialColumn.PROPENSITY] = decisions.propensity
    whole = pd.concat([frame, features], axis=1)
    trial = whole[by_lot].reset_index(drop=True)
    trial[TrialColumn.PROPENSITY] = lots.propensity
    trial.insert(len(frame.columns), TrialColumn.ARMS, _arms(lots, run.policy.offer_ids))
    return CampaignRows(
        run=run,
        campaign=run.name,
        trial=trial,
        planned=whole[decisions.came & ~by_lot].reset_index(drop=True),
        features=tuple(features.columns),
        held=int((decisions.held & by_lot).sum()),
        explored=int((decisions.explored & by_lot).sum()),
        strangers=did.strangers,
    )


def _outcomes(source: Source, table: ScoreTable, offers: tuple[str, ...]) -> Outcomes:
    """Return what users did, orders of one user taken together."""
    names = source.columns
    wanted = [n for n in (USER_ID, CONVERSION, SPEND, COST, Outcomes.AT, "amount") if n in names]
    if USER_ID not in wanted:
        what = say("learn.no_column", column=USER_ID)
        raise DataError(Fault(source.where, what, "one row per order"))
    rows = to_frame(source.table(wanted))
    if "amount" in rows and SPEND not in rows:
        rows = rows.rename(columns={"amount": SPEND})
    if CONVERSION not in rows:  # a row per order: whoever ordered has converted
        rows[CONVERSION] = 1
    taken = {CONVERSION: "max", SPEND: "sum", COST: "sum", Outcomes.AT: "min"}
    if rows[USER_ID].duplicated().any():
        present = {name: how for name, how in taken.items() if name in rows}
        rows = rows.groupby(USER_ID, as_index=False, sort=False).agg(present)
    whole = arrow_table(rows, where=source.where)
    return outcomes_of(whole, table.user_id, offers, where=source.where)


def _rows(
    run: FinishedRun, table: ScoreTable, decisions: Decisions, did: Outcomes
) -> pd.DataFrame:
    """Return a row per user: who, when, which arm, and what came of it."""
    arms = np.array([*run.policy.offer_ids, CONTROL], dtype=object)[decisions.choice]
    cost = decisions.paid if did.cost is None else did.cost
    if cost is None:
        expected = "`cost`: the subsidy that each user redeemed"
        raise DataError(Fault("--outcomes", "does not say what offers cost", expected))
    spend = np.zeros(table.n_users) if did.spend is None else did.spend
    return pd.DataFrame(
        {
            USER_ID: table.user_id.to_pandas(),
            TrialColumn.CAMPAIGN: run.name,
            TrialColumn.DECIDED_AT: pd.to_datetime(decisions.at, unit="us", utc=True),
            TrialColumn.OFFER: arms,
            TrialColumn.PROPENSITY: np.nan,
            CONVERSION: did.conversion,
            SPEND: spend,
            COST: cost,
        }
    )


def _arms(lots: RandomisedUsers, offers: tuple[str, ...]) -> list[str]:
    """Return which offers each row could get, as one text."""
    kinds, place = np.unique(lots.reach, axis=0, return_inverse=True)
    texts = [" ".join(np.array(offers, dtype=object)[kind]) for kind in kinds]
    return [texts[at] for at in place.ravel()]


def _features(run: FinishedRun, table: ScoreTable, given: Path | Location | None) -> pd.DataFrame:
    """Return the users' features at the moment of the plan, in the order of the scores.

    Without a table of users they are the attributes that the policy names.
    """
    source = _users(run, given)
    if source is None:
        features = to_frame(table.attributes)
    else:
        names = [name for name in source.columns if name not in RESERVED]
        wanted = to_frame(source.table([USER_ID, *names]))
        ids = as_id(source.table([USER_ID]).column(USER_ID)).to_pandas()
        place = places(table.user_id.to_pandas(), ids)
        _refuse_missing(place, source.where)
        features = wanted[names].iloc[place].reset_index(drop=True)
    return features[[name for name in features.columns if name not in RESERVED]]


def _refuse_missing(place: IntArray, where: str) -> None:
    if lacking := int((place < 0).sum()):
        what = say("learn.lacks", users=lacking)
        raise DataError(Fault(where, what, "every user with the features of the plan"))


def _users(run: FinishedRun, given: Path | Location | None) -> Source | None:
    stated = run.manifest.inputs.get("users")
    renames = run.policy.data.columns.users
    if given is not None:
        return open_source(given, renames=renames)
    if stated is None:
        return None
    remedy = "name the table as it was with --users"
    try:
        source = open_source(parse_location(stated.path), renames=renames)
        unchanged = source.digest() == stated.sha256
    except DataError as error:
        what = "the table that users were scored from cannot be read any more"
        raise DataError(Fault(stated.path, what, "", remedy), *error.faults) from error
    if not unchanged:
        what = "has changed since the plan: features are no longer as they were at the moment"
        raise DataError(Fault(source.where, what, "the table that users were scored from", remedy))
    return source
