"""The page that compares budgets and variants, in both languages."""

from __future__ import annotations

import re

import pytest

from incentive_engine.errors import Fault
from incentive_engine.language import Code, say
from incentive_engine.language.wording import joined
from incentive_engine.report.content import LimitRow, StatedObjective
from incentive_engine.report.pages.whatif import (
    LimitCostRow,
    MoveRow,
    MoveTable,
    PointRow,
    VariantRow,
    WhatIfContent,
    render_whatif,
)
from incentive_engine.report.returns import Safety, SafetyRow

LEAST = say("conflict.at_least", least=3_000.0)
RATIO = say(
    "conflict.ratio",
    numerator="spend",
    denominator="cost",
    bounds=say("conflict.at_least", least=2.0),
)
CONFLICT = (
    Fault(
        say("conflict.limit", name="floor"),
        say("conflict.together", bounds=LEAST, others=("budget",)),
    ),
    Fault(say("conflict.limit", name="roi"), say("conflict.alone", bounds=RATIO)),
    Fault(
        say("conflict.way_out"),
        joined(
            [
                say("conflict.lower", name="floor", bound=3_000.0, to=2_000.0),
                say("conflict.drop", name="roi"),
            ]
        ),
    ),
)


def point(variant: str, budget: float, value: float) -> PointRow:
    return PointRow(
        variant=variant,
        budget=budget,
        value=value,
        bound=value,
        conversions=value / 2,
        spend=budget * 3,
        cost=budget,
        face=budget * 10,
        treated=int(budget / 10),
        roi=3.0,
        marginal_return=2.0,
        price=0.004,
    )


def content() -> WhatIfContent:
    limit = LimitRow(
        name="floor", unit="money", at_most=None, at_least=500.0, usage=500.0, slack=0.0, price=-1
    )
    move = MoveRow(
        group="88VIP", origin="none", target="cost", users=40, conversions=1.5, cost=200.0
    )
    return WhatIfContent(
        campaign="双十一 <b>",
        currency="CNY",
        aim=StatedObjective(terms=(("conversion", 1.0),), weighted=True),
        users=5_000,
        focus=100_000.0,
        variants=(
            VariantRow(name="base", settings=()),
            VariantRow(name="floor", settings=("limits[floor].at_least=3000",)),
        ),
        points=(
            point("base", 50_000, 300),
            point("base", 100_000, 500),
            PointRow(variant="floor", budget=50_000, conflict=CONFLICT),
            point("floor", 100_000, 480),
        ),
        shown=(50_000.0, 100_000.0),
        moves=(MoveTable(variant="floor", column="tier", users=43, rows=(move,), more=1),),
        limits=(LimitCostRow(variant="base", limit=limit, gain=3.0, rule="floor", rule_gain=3.0),),
        safety=Safety(
            rows=(
                SafetyRow(
                    confidence=0.9, expected_cost=90_000, value=480, conversions=240, lost=0.04
                ),
            ),
            cost_error=0.05,
        ),
        mandate=1.5,
        within=100_000.0,
        notes=(say("trial.features.not_in_users", where="users.csv", names=("a",)),),
    )


def words_of(page: str) -> str:
    body = re.sub(r"<(style|script)\b.*?</\1>", "", page, flags=re.DOTALL)
    return re.sub(r"<[^>]*>", " ", body)


def test_a_chinese_page_says_nothing_in_english() -> None:
    page = render_whatif(content(), lang="zh")
    assert '<html lang="zh-CN">' in page
    text = words_of(page)
    assert "10万元可得到 500 加权转化" in text
    assert "限制 `floor`：不低于 3,000，不能与 `budget` 同时满足" in text
    assert "将 `floor` 的 at_least 从 3,000 降低到 2,000；去掉 `roi`" in text
    assert "users.csv：用户数据中没有以下列，因此不作为特征：a" in text
    assert not re.search(r"\b[a-z]+ [a-z]+ [a-z]+\b", text)


def test_an_english_page_states_its_units_and_what_cannot_be() -> None:
    text = words_of(render_whatif(content()))
    assert "CNY 100,000 buys 500 weighted conversions; 1,000 CNY more would add 4.00." in text
    assert "No plan: limit `floor`: at least 3,000: it cannot hold" in text
    assert (
        "The largest of these budgets whose last money returns at least 1.50 is CNY 100,000"
        in text
    )


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_names_are_names_whatever_they_are(lang: Code) -> None:
    page = render_whatif(content(), lang=lang)
    assert "双十一 &lt;b&gt;" in page
    assert '<td class="text">cost</td>' in page  # an offer may be called so
    assert (">no offer<" in page) is (lang == "en")
