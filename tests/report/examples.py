"""Two pages to render: a rich one, and the least that there can be."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, Final, Literal

from incentive_engine.domain import Reason
from incentive_engine.report import (
    Aim,
    Alternative,
    BenefitRow,
    Benefits,
    Budget,
    CalibrationGroup,
    Estimate,
    Favoured,
    GroupRow,
    GroupTable,
    Headline,
    Holdout,
    InputFact,
    LimitRow,
    LoyaltyCheck,
    Measurability,
    Note,
    OfferDrivers,
    OfferQuality,
    Proof,
    PublicOffer,
    PublicRules,
    Quality,
    ReasonRow,
    ReportContent,
    Response,
    ResponsePoint,
    ResponseRow,
    RunFacts,
    Scope,
    Test,
    TrialCheck,
)


def group(label: str, users: int | None, treated: int, part: float) -> GroupRow:
    return GroupRow(
        label=label,
        users=users,
        treated=treated,
        conversions=1_842.3 * part,
        spend=412_345.0 * part,
        cost=199_999.99 * part,
        cost_per_conversion=199_999.99 / 1_842.3,
        share_of_cost=part,
        share_of_conversions=part * 0.9,
    )


def response(*, exact: bool = False) -> Response:
    return Response(
        exact=exact,
        groups=("88VIP", "regular </script>"),
        points=tuple(
            ResponsePoint(
                budget=amount,
                spent=amount,
                value=3.1 * amount**0.62,
                price=3.1 * 0.62 * max(amount, 1.0) ** -0.38,
                groups=(taken(amount * 0.25), taken(amount * 0.75)),
            )
            for amount in (50_000.0, 100_000.0, 150_000.0, 200_000.0, 300_000.0, 400_000.0)
        ),
        width=1_234.5 if exact else None,
        error=0.25 if exact else None,
        smallest=20,
    )


def taken(cost: float) -> ResponseRow:
    return ResponseRow(
        value=cost / 59,
        treated=cost / 9,
        conversions=cost / 108,
        spend=cost * 2,
        cost=cost,
    )


def rich() -> ReportContent:
    return ReportContent(
        campaign="double11 <预热>",
        currency="CNY",
        headline=Headline(
            conversions=Estimate(value=1_402.2, low=1_011.0, high=1_793.4),
            spend=Estimate(value=398_211.0, low=301_202.0, high=495_220.0),
            conversions_by_scores=1_842.3,
            spend_by_scores=412_345.0,
            cost=199_999.99,
            cost_per_conversion=Estimate(value=142.6, low=111.5, high=197.8),
            roi=Estimate(value=1.99, low=1.51, high=2.48),
            users=50_000,
            treated=21_204,
            trial_rows=150_000,
        ),
        proof=Proof(
            feasible=True,
            value=3_391.882,
            bound=3_391.9211,
            gap=1.15e-5,
            aim=Aim(terms=(("conversion", 1.0),), weighted=True),
        ),
        budget=Budget(
            amount=200_000.0, basis="expected", spent=199_999.99, spent_face=2_120_400.0
        ),
        favoured=Favoured(
            label="88VIP",
            share_of_users=0.061,
            share_of_budget=0.2501,
            share_of_conversions=0.221,
            conversions=1_842.3,
            conversions_unweighted=1_990.4,
        ),
        response=response(),
        tables=(
            GroupTable(
                column="tier",
                rows=(
                    group("88VIP", 3_050, 2_407, 0.25),
                    group("gold", 12_111, 7_012, 0.40),
                    group("silver", 34_839, 11_785, 0.35),
                ),
                total=group("All users", 50_000, 21_204, 1.0),
            ),
            GroupTable(
                column=None,
                rows=(
                    group("off10", None, 12_000, 0.45),
                    group("off20", None, 5_000, 0.30),
                    group("vip50", None, 4_204, 0.25),
                ),
            ),
        ),
        reasons=(
            ReasonRow(reason=Reason.OFFERED, users=21_204, share=0.42408),
            ReasonRow(reason=Reason.PRICED_OUT, users=20_100, share=0.402),
            ReasonRow(reason=Reason.NO_GAIN, users=6_100, share=0.122),
            ReasonRow(reason=Reason.INELIGIBLE, users=96, share=0.00192),
            ReasonRow(reason=Reason.HOLDOUT, users=2_500, share=0.05),
        ),
        limits=limits(),
        smallest=20,
        notes=(
            Note(key="no_holdout", values=(), warning=True),
            Note(
                key="missing",
                values=(("count", 412), ("measure", "conversion"), ("offer", "vip50")),
            ),
        ),
        facts=RunFacts(
            inputs=(
                InputFact(
                    name="users", path="/data/双11/users.parquet", sha256="ab" * 32, rows=50_000
                ),
                InputFact(name="trial", path="trial.parquet", sha256="cd" * 32, rows=150_000),
                InputFact(name="policy", path="policies/double11.yaml", sha256="ef" * 32),
            ),
            program="0.1.0",
            seconds=(("read scores", 0.21), ("solve", 0.4)),
            seed=11,
        ),
    )


def scope(column: str, value: str) -> Scope:
    return Scope(measures=("cost",), tests=(Test(column=column, values=(value,)),))


def limits() -> tuple[LimitRow, ...]:
    return (
        LimitRow(
            name="vip floor",
            unit="money",
            at_most=None,
            at_least=50_000.0,
            usage=50_020.0,
            slack=20.0,
            price=-0.0031,
            scope=scope("tier", "88VIP"),
        ),
        LimitRow(
            name="region cap[广东省]",
            unit="money",
            at_most=14_000.0,
            at_least=None,
            usage=13_999.98,
            slack=0.02,
            price=0.0022,
            scope=scope("region", "广东省"),
        ),
        LimitRow(
            name="stock",
            unit="count",
            at_most=5_000,
            at_least=None,
            usage=5_000,
            slack=0,
            price=0.001,
        ),
        LimitRow(
            name="roi",
            unit="ratio",
            at_most=None,
            at_least=1.5,
            usage=2.06,
            slack=0.56,
            price=0.0,
            scope=Scope(measures=("spend", "cost")),
        ),
        LimitRow(
            name="watch",
            unit="count",
            at_most=10,
            at_least=None,
            usage=11_785,
            slack=-11_775,
            report_only=True,
        ),
        LimitRow(
            name="budget",
            unit="money",
            at_most=200_000.0,
            at_least=None,
            usage=199_999.99,
            slack=0.01,
            price=0.0104,
        ),
    )


def held() -> Holdout:
    return Holdout(
        users=2_500,
        share=0.05,
        given_up=26.41,
        buys=Measurability(precision=0.0109, expected=0.0119, power=0.56, detectable=0.0156),
    )


def full() -> ReportContent:
    return replace(
        rich(),
        ways=ways(),
        quality=quality(),
        benefits=benefits(),
        rules=public_rules(),
        holdout=held(),
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
            TrialCheck(name="sample_ratio", verdict="fine", text="arm sizes agree"),
            TrialCheck(name="drift", verdict="warning", text="users differ in `age`"),
        ),
        drivers=(OfferDrivers(offer="off10", shares=(("age", 0.6), ("visits", 0.4))),),
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
                tests=(Test(column="tier", values=("88VIP",)), Test(column="age", at_least=18.0)),
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


def bare() -> ReportContent:
    return ReportContent(
        campaign="own scores",
        currency="元",
        headline=Headline(
            conversions=None,
            spend=None,
            conversions_by_scores=0.0,
            spend_by_scores=None,
            cost=0.0,
            cost_per_conversion=None,
            roi=None,
            users=6,
            treated=0,
        ),
        proof=Proof(
            feasible=True,
            value=0.0,
            bound=0.0,
            gap=0.0,
            aim=Aim(terms=(("conversion", 1.0),), weighted=False),
        ),
        budget=Budget(amount=None, basis="expected", spent=0.0, spent_face=0.0),
        tables=(),
        reasons=(ReasonRow(reason=Reason.NO_GAIN, users=6, share=1.0),),
        limits=(),
        smallest=20,
    )
