"""By what the outcomes of a running campaign are compared: known before it began."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from incentive_engine.data.scores import read_scores
from incentive_engine.data.trials.holdout import strata_codes
from incentive_engine.domain import CONVERSION, COST, SPEND, BoolArray, IntArray
from incentive_engine.insight.value.plan_rule import plan_rule
from incentive_engine.live.campaign import LiveCampaign
from incentive_engine.stats.holdout_effect import filled


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Yardstick:
    """What is known of a run's n users, those of the holdout too.

    Attributes
    ----------
    offered : (n,) bool
        Who gets an offer at the plan's prices.
    stratum : (n,) int64
        What the holdout was drawn within.
    covariates : (n, p) float32
        The model's scores, and what else was given.
    """

    offered: BoolArray
    stratum: IntArray
    covariates: npt.NDArray[np.float32]

    @classmethod
    def of(
        cls, run_dir: Path, campaign: LiveCampaign, *, known: npt.NDArray[np.float32] | None = None
    ) -> Self:
        """Return what a run says.

        Parameters
        ----------
        known
            (n, p) what else was known of users before the campaign.
        """
        policy = campaign.frozen.policy
        table = read_scores(run_dir / "scores.parquet", policy)
        limits = campaign.run.certificate.limits
        prices = {limit.name: limit.price for limit in limits if limit.price is not None}
        scores = [
            np.asarray(column, dtype=np.float32)
            for measure in (CONVERSION, COST, SPEND)
            for column in table.measures.get(measure, ())
        ]
        columns = filled(np.column_stack(scores))
        return cls(
            offered=plan_rule(policy, table, prices) >= 0,
            stratum=strata_codes(table.attributes.select(policy.holdout_strata), table.n_users),
            covariates=columns if known is None else np.concatenate([columns, known], axis=1),
        )
