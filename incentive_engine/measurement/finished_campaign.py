"""A finished campaign: what was planned, what was given out, and what users did."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from incentive_engine.allocation.plans.rule import plan_rule
from incentive_engine.config.access.location import Location
from incentive_engine.config.policy import Policy
from incentive_engine.data.row_checks import as_id
from incentive_engine.data.scores import ScoreTable, read_scores
from incentive_engine.data.sources import open_source, read_table
from incentive_engine.data.tables.arrow import as_numpy, equal, whole
from incentive_engine.data.tables.scratch import pick
from incentive_engine.data.trials.holdout import strata_codes
from incentive_engine.data.trials.outcomes import Outcomes, read_outcomes
from incentive_engine.domain import (
    CONVERSION,
    COST,
    SPEND,
    BoolArray,
    ChoiceArray,
    FloatArray,
    IntArray,
)
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import say
from incentive_engine.measurement.covariates import read_covariates
from incentive_engine.run.finished import FinishedRun, read_run
from incentive_engine.stats.holdout_effect import filled


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ServedUsers:
    """What the ledger of n users says.

    Attributes
    ----------
    came : (n,) bool
        Who was decided on.
    decided : (n,) int64
        When for the first time, microseconds since 1970; 0 for nobody.
    offer : (n,) int16
        What was given out last, −1 for none.
    paid : (n,) float64
        What was redeemed, currency units.
    is_repriced
        Whether other prices than the plan's decided.
    """

    came: BoolArray
    decided: IntArray
    offer: ChoiceArray
    paid: FloatArray
    is_repriced: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class FinishedCampaign:
    """A finished campaign of n users: what was planned, and what they did.

    Attributes
    ----------
    choice : (n,) int16
        The plan's offer, -1 for none.
    held : (n,) bool
        The holdout.
    stratum : (n,) int64
        What the holdout was drawn within.
    served
        What the ledger of live decisions says; None where a batch decided.
    known : (n, p) float32
        What else was known of users before; None for nothing.
    """

    policy: Policy
    run: FinishedRun
    table: ScoreTable
    choice: ChoiceArray
    held: BoolArray
    stratum: IntArray
    did: Outcomes
    served: ServedUsers | None = None
    known: npt.NDArray[np.float32] | None = None

    @property
    def came(self) -> BoolArray:
        """(n,) who was decided on at all."""
        return np.ones_like(self.held) if self.served is None else self.served.came

    @property
    def given(self) -> ChoiceArray:
        """(n,) the offer that was given out, −1 for none: the plan's, or the live decision's."""
        return self.choice if self.served is None else self.served.offer

    @property
    def paid(self) -> FloatArray | None:
        """(n,) the subsidy paid, currency units; None where it is not known."""
        if self.did.cost is not None or self.served is None:
            return self.did.cost
        return self.served.paid

    @cached_property
    def covariates(self) -> npt.NDArray[np.float32]:
        """(n, p) float32, what was known of each user before: scores, and what was given."""
        scores = [
            np.asarray(column, dtype=np.float32)
            for measure in (CONVERSION, COST, SPEND)
            for column in self.table.measures.get(measure, ())
        ]
        of_model = filled(np.column_stack(scores))
        return of_model if self.known is None else np.concatenate([of_model, self.known], axis=1)

    def scores(self, measure: str, choice: ChoiceArray) -> FloatArray:
        """Return a measure of what a choice gives each user, (n,); 0 for none."""
        return np.nan_to_num(pick(self.table.measures[measure], choice).astype(np.float64))

    @cached_property
    def rule(self) -> ChoiceArray | None:
        """What the plan's prices alone give each user, the holdout too.

        None where that is not what the plan gave: where users are tied, offers went by lot; and
        where other prices than the plan's decided, live.
        """
        if self.served is not None and self.served.is_repriced:
            return None
        limits = self.run.certificate.limits
        prices = {limit.name: limit.price for limit in limits if limit.price is not None}
        rule = plan_rule(self.policy, self.table, prices)
        decided = ~self.held & ((rule >= 0) | (self.choice >= 0))
        alike = float((rule == self.choice)[decided].mean()) if decided.any() else 1.0
        # share of the plan's offers that its prices alone must give for a comparison by them
        return rule if alike >= 0.98 else None


def read_campaign(
    run_dir: Path,
    outcomes: Path | Location,
    *,
    served: ServedUsers | None = None,
    covariates: Path | Location | None = None,
) -> FinishedCampaign:
    """Return a run and what its users did.

    Parameters
    ----------
    run_dir
        What `allocate` wrote.
    outcomes
        What users did; see `read_outcomes`.
    served
        What the ledger of the run says, where it was decided live.
    covariates
        What was known of users before; see `read_covariates`.

    Raises
    ------
    DataError
        When the run or the outcomes cannot be read, or the outcomes leave the holdout out.
    """
    run = read_run(run_dir)
    policy = run.policy
    table = read_scores(open_source(run_dir / "scores.parquet"), policy)
    file = run_dir / "allocation.parquet"
    plan = read_table(file, ["user_id", "offer_id", "reason"])
    if not as_id(plan.column("user_id")).equals(table.user_id):
        what = "has other users than scores.parquet, or in another order"
        raise DataError(Fault(str(file), what, remedy="run `incentive verify`"))
    place = pc.index_in(plan.column("offer_id"), value_set=pa.array(policy.offer_ids))
    source = open_source(outcomes, renames=policy.data.columns.outcomes)
    did = read_outcomes(source, table.user_id, policy.offer_ids)
    holdout = equal(plan.column("reason"), "holdout")
    if holdout.any() and not (did.named & holdout).any():
        unseen = say(
            "names none of the {count:,} users that were held out", count=int(holdout.sum())
        )
        expected = "what they did, too: the campaign is measured against them"
        raise DataError(Fault(source.where, unseen, expected, "add their rows"))
    if served is not None:
        did.refuse_before(served.decided, where=source.where)
    return FinishedCampaign(
        policy=policy,
        run=run,
        table=table,
        choice=as_numpy(whole(pc.fill_null(place, -1))).astype(np.int16),
        held=holdout,
        stratum=strata_codes(table.attributes.select(policy.holdout_strata), table.n_users),
        did=did,
        served=served,
        known=None if covariates is None else read_covariates(covariates, table.user_id),
    )
