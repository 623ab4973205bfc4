"""Two pages to render: a rich one, and the least that there can be."""

from __future__ import annotations

from dataclasses import replace

from incentive_engine.domain import Reason
from incentive_engine.language import say
from incentive_engine.report.conditions import ColumnTest, Scope
from incentive_engine.report.content import (
    Advice,
    BudgetUse,
    Favoured,
    GroupRow,
    GroupTable,
    Headline,
    InputFact,
    LimitRow,
    Note,
    Proof,
    ReasonRow,
    ReportContent,
    RunFacts,
    StatedObjective,
)
from incentive_engine.report.evidence import Response, ResponsePoint, ResponseRow
from incentive_engine.stats.estimate import Estimate

from .besides import benefits, held, public_rules, quality, ways


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
        advice=Advice(kind="run", verdict=say("advice.broken"), trial="fine"),
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
            searched=None,
            aim=StatedObjective(terms=(("conversion", 1.0),), weighted=True),
        ),
        budget=BudgetUse(
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
            Note(message=say("notes.no_holdout"), warning=True),
            Note(
                message=say(
                    "notes.missing", count=412, measure=say("measure.conversion"), offer="vip50"
                )
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
    return Scope(measures=("cost",), tests=(ColumnTest(column=column, values=(value,)),))


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


def full() -> ReportContent:
    return replace(
        rich(),
        ways=ways(),
        quality=quality(),
        benefits=benefits(),
        rules=public_rules(),
        holdout=held(),
    )


def bare() -> ReportContent:
    return ReportContent(
        advice=Advice(kind="run", verdict=say("advice.broken"), trial="fine"),
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
            searched=None,
            aim=StatedObjective(terms=(("conversion", 1.0),), weighted=False),
        ),
        budget=BudgetUse(amount=None, basis="expected", spent=0.0, spent_face=0.0),
        tables=(),
        reasons=(ReasonRow(reason=Reason.NO_GAIN, users=6, share=1.0),),
        limits=(),
        smallest=20,
    )
