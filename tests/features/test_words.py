"""History features are named in words of both languages, and judged by groups."""

from __future__ import annotations

import pytest

from features.examples import OFFERS, declaration
from incentive_engine.features.computing.history_columns import HistoryColumn, history_columns
from incentive_engine.features.computing.standard import KINDS, LogContent, standard_declarations
from incentive_engine.features.computing.words import feature_words, groups_of

EVERYTHING = LogContent(
    kinds=KINDS, amounts=True, categories=True, offer_categories=True, span=10**17
)


def _column(**written: object) -> HistoryColumn:
    return history_columns([declaration(**written)], OFFERS)[0]


@pytest.mark.parametrize(
    ("written", "english", "chinese"),
    [
        ({"recency": ["order"]}, "days since the last order", "距上次订单的天数"),
        (
            {"count": ["visit"], "within": ["7d"]},
            "number (visit), last 7 days",
            "近 7 天次数（访问）",
        ),
        (
            {"ratio": "redeem", "to": "issue", "within": ["12h"]},
            "coupon redeemed per coupon issued, last 12 hours",
            "近 12 小时核销与发券之比",
        ),
        (
            {"match": "category", "of": ["any"], "within": ["2w"]},
            "number in categories of `off10` (event of any kind), last 2 weeks",
            "近 2 周属于 `off10` 品类的次数（任意事件）",
        ),
        (
            {"count": ["refund_request"], "within": ["7d"]},
            "number (refund_request), last 7 days",
            "近 7 天次数（refund_request）",
        ),
    ],
)
def test_a_feature_in_words(written: dict[str, object], english: str, chinese: str) -> None:
    words = feature_words(_column(**written))
    assert (words.text("en"), words.text("zh")) == (english, chinese)


def test_the_standard_set_is_about_sixty_features_with_words_of_their_own() -> None:
    columns = history_columns(standard_declarations(EVERYTHING), OFFERS)
    assert 55 <= len(columns) <= 65
    for code in ("en", "zh"):
        assert len({feature_words(column).text(code) for column in columns}) == len(columns)


def test_windows_that_the_log_does_not_reach_and_kinds_that_it_lacks_are_left_out() -> None:
    content = LogContent(
        kinds=["order"],
        amounts=False,
        categories=False,
        offer_categories=False,
        span=31 * 86400 * 10**6,
    )
    names = [c.name for c in history_columns(standard_declarations(content), OFFERS)]
    assert "count_order_30d" in names
    left_out = ("90d", "365d", "visit", "issue", "redeem", "amount", "category")
    assert not [name for name in names if any(part in name for part in left_out)]


def test_every_feature_is_in_one_family_and_in_the_whole() -> None:
    columns = history_columns(standard_declarations(EVERYTHING), OFFERS)
    groups = groups_of(columns)
    families = [names for words, names in groups if words.key == "added.family"]
    assert sorted(name for names in families for name in names) == sorted(
        column.name for column in columns
    )
    within = [len(names) for words, names in groups if words.key == "added.within"]
    assert within == sorted(within)
    assert groups[-1][1] == tuple(column.name for column in columns)
