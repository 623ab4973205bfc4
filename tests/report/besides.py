"""What a page may show beside the plan: other ways, evidence, fairness, rules, the holdout."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

from incentive_engine.language import say
from incentive_engine.report.conditions import ColumnTest, PublicOffer, PublicRules
from incentive_engine.report.evidence import (
    Alternative,
    BenefitRow,
    Benefits,
    Holdout,
    LoyaltyCheck,
    Measurability,
)
from incentive_engine.report.quality import (
    CalibrationGroup,
    CostCurvePoint,
    OfferDrivers,
    OfferQuality,
    Quality,
)
from incentive_engine.stats.estimate import Estimate
from incentive_engine.uplift.diagnosis.verdicts import CheckVerdict, TrialCheck


def held() -> Holdout:
    return Holdout(
        users=2_500,
        share=0.05,
        given_up=26.41,
        buys=Measurability(precision=0.0109, expected=0.0119, power=0.56, detectable=0.0156),
    )


def ways() -> tuple[Alternative, ...]:
    shared: dict[str, Any] = {"spend_by_scores": 412_345.0, "cost": 199_999.0, "treated": 21_204}
    known = Estimate(value=1_402.2, low=1_011.0, high=1_793.4)
    return (
        Alternative(way="plan", conversions_by_scores=1_842.3, conversions=known, **shared),
        *(
            Alternative(
                way=way,
                offer="off20",
                conversions_by_scores=1_201.0,
                conversions=Estimate(value=902.2, low=611.0, high=1_193.4),
                difference=Estimate(value=500.0, low=-20.5, high=1_020.5),
                lead=Estimate(value=700.0, low=100.0, high=1_300.0),
                **shared,
            )
            for way in WAYS
        ),
    )


WAYS: Final[tuple[Literal["tiers", "everyone"], ...]] = ("tiers", "everyone")


def quality() -> Quality:
    effects = tuple(
        CalibrationGroup(
            rows=10_000,
            predicted=0.002 * at,
            observed=Estimate(
                value=0.0018 * at, low=0.0018 * at - 0.003, high=0.0018 * at + 0.003
            ),
        )
        for at in range(1, 6)
    )
    return Quality(
        rows=150_000,
        differ=True,
        p_value=0.0003,
        offers=tuple(
            OfferQuality(
                offer=offer,
                treated=30_000,
                conversion=Estimate(value=0.006, low=0.004, high=0.008),
                qini=Estimate(value=0.0004, low=-0.0001, high=0.0009),
                slope=slope,
                effects=effects,
                costs=effects[:1],
            )
            for offer, slope in (
                ("off10", Estimate(value=0.9, low=0.2, high=1.6)),
                ("vip50", None),
            )
        ),
        checks=(
            CheckVerdict(
                check=TrialCheck.SAMPLE_RATIO, verdict="fine", what=say("trial.ratio.fine", p=0.4)
            ),
            CheckVerdict(
                check=TrialCheck.DRIFT, verdict="warning", what=say("drift.reweighted", share=0.4)
            ),
        ),
        drivers=(OfferDrivers(offer="off10", shares=(("age", 0.6), ("visits", 0.4))),),
        curve=tuple(
            CostCurvePoint(
                budget=0.5 * at,
                model=Estimate(value=0.004 * at, low=0.003 * at, high=0.005 * at),
                constant=Estimate(value=0.003 * at, low=0.002 * at, high=0.004 * at),
            )
            for at in (1, 2, 3)
        ),
        over_constant=Estimate(value=0.0012, low=-0.0001, high=0.0025),
    )


def benefits(low: float = 0.4, high: float = 1.2) -> tuple[Benefits, ...]:
    difference = Estimate(value=(low + high) / 2, low=low, high=high)
    return (
        Benefits(
            column="tier",
            rows=tuple(
                BenefitRow(
                    label=label,
                    users=users,
                    share_treated=0.6,
                    benefit=benefit,
                    face=3 * benefit,
                    weight=weight,
                )
                for label, users, benefit, weight in (
                    ("88VIP", 2_900, 30.1, 3.2),
                    ("silver", 34_000, 2.5, 1.0),
                )
            ),
            check=LoyaltyCheck(
                column="tier",
                member="88VIP",
                equal=("spend_12m",),
                same_offers=True,
                difference=difference,
                compared=0.93,
            ),
        ),
        Benefits(
            column="tenure",
            rows=tuple(
                BenefitRow(
                    label=None,
                    low=12.0 * at,
                    high=12.0 * at + 12,
                    users=9_000,
                    share_treated=0.5,
                    benefit=2.0,
                    face=6.0,
                    weight=1.0,
                )
                for at in range(5)
            ),
            check=LoyaltyCheck(
                column="tenure",
                member=None,
                equal=("tier",),
                same_offers=False,
                difference=difference,
                compared=1.0,
            ),
        ),
    )


def public_rules() -> PublicRules:
    return PublicRules(
        offers=(
            PublicOffer(
                name="off10",
                face_value=10.0,
                min_spend=99.0,
                tests=(),
                valid_from=datetime.fromisoformat("2026-11-01"),
                valid_to=datetime.fromisoformat("2026-11-11 23:59"),
                funder="platform",
                stock=5_000,
            ),
            PublicOffer(
                name="vip50",
                face_value=50.0,
                min_spend=None,
                tests=(
                    ColumnTest(column="tier", values=("88VIP",)),
                    ColumnTest(column="age", at_least=18.0),
                ),
                valid_from=None,
                valid_to=None,
                funder=None,
                stock=None,
            ),
        ),
        everyone=False,
        criteria=("tier",),
        holdout=0.05,
    )
