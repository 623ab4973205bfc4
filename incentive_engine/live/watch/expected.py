"""What a run says of how its campaign is to go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from incentive_engine.data.tables.arrow import equal
from incentive_engine.domain import CONVERSION, MICROS, BoolArray, Reason
from incentive_engine.live.campaign import Choice, LiveCampaign
from incentive_engine.live.forecast import ArrivalForecast
from incentive_engine.live.ledger.records import LimitTerms
from incentive_engine.live.watch.evidence import Sizes
from incentive_engine.stats.estimate import Estimate
from incentive_engine.stats.systematic_sample import evenly


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Expected:
    """What was planned.

    Attributes
    ----------
    forecast
        How users come; None where the policy names no campaign.
    users
        How many of them are expected.
    held : (n,) bool
        The holdout.
    limits
        Every enforced limit, in the ledger's order.
    measures
        What each of them sums.
    offers
        Offer ids, in the policy's order.
    sizes, paid
        By limit, what single offers of the plan claim of it, and what they settle; natural units.
    gain
        Conversions that the plan adds per user outside the holdout, with its interval.
    zone
        In which times are shown.
    """

    forecast: ArrivalForecast | None
    users: float
    held: BoolArray
    limits: tuple[LimitTerms, ...]
    measures: Mapping[str, str | None]
    offers: tuple[str, ...]
    sizes: tuple[Sizes, ...]
    paid: tuple[Sizes, ...]
    gain: Estimate
    currency: str
    zone: str

    @classmethod
    def of(cls, run_dir: Path, campaign: LiveCampaign) -> Self:
        """Return what a run says."""
        policy = campaign.frozen.policy
        columns = ["user_id", "offer_id", "reason", CONVERSION]
        table = pq.read_table(run_dir / "allocation.parquet", columns=columns)
        holdout = np.asarray(equal(table.column("reason"), Reason.HOLDOUT))
        times = policy.campaign
        offered = table.filter(pc.is_valid(table.column("offer_id"))).column("user_id")
        # offers of the plan, evenly spread, whose sizes stand for all
        sample = 2_000
        some = offered.take(evenly(len(offered), sample))
        choices = [campaign.planned(user) for user in some.to_pylist()]
        sizes, paid = sizes_of(choices, campaign.terms.limits)
        return cls(
            forecast=None if times is None else ArrivalForecast.of(times, policy.timezone),
            users=len(holdout) * (1.0 if times is None else times.share),
            held=holdout,
            limits=campaign.terms.limits,
            measures=campaign.measures,
            offers=policy.offer_ids,
            sizes=sizes,
            paid=paid,
            gain=_gain(campaign, float(np.nansum(table.column(CONVERSION).to_numpy())), holdout),
            currency=policy.currency,
            zone=policy.timezone,
        )

    @property
    def names(self) -> Mapping[str, int]:
        """Limit name to its place."""
        return {limit.name: place for place, limit in enumerate(self.limits)}


def sizes_of(
    choices: Sequence[Choice], limits: Sequence[LimitTerms]
) -> tuple[tuple[Sizes, ...], tuple[Sizes, ...]]:
    """Return by limit what offers claim of it, and what they settle: their face, or nothing."""
    claimed: list[list[float]] = [[] for _ in limits]
    settled: list[list[tuple[float, float]]] = [[] for _ in limits]
    for choice in choices:
        for place, claim in choice.claims:
            unit = 1 if limits[place].is_count else MICROS
            if claim > 0:
                claimed[place].append(claim / unit)
                settled[place].append((choice.face / MICROS, choice.cost / max(choice.face, 1)))
    counted = Sizes.of_counts()
    sizes = [
        Sizes(size=np.array(some), chance=np.ones(len(some))) if some else counted
        for some in claimed
    ]
    paid = [
        Sizes(size=np.array(some)[:, 0], chance=np.array(some)[:, 1]) if some else counted
        for some in settled
    ]
    return tuple(sizes), tuple(paid)


def _gain(campaign: LiveCampaign, scores: float, holdout: BoolArray) -> Estimate:
    """Return the conversions that were stated per user outside the holdout."""
    users = max(int((~holdout).sum()), 1)
    plan = campaign.run.evaluation.plan
    if plan is not None:
        stated = plan.conversions
        return Estimate(value=stated.estimate, low=stated.low, high=stated.high).times(1 / users)
    # relative half width of a stated gain that has no interval: scores were given
    guessed = 0.5
    half = guessed * abs(scores)
    return Estimate(value=scores, low=scores - half, high=scores + half).times(1 / users)
