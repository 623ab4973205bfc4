"""Pages call offers, columns and values by the names that people read."""

from __future__ import annotations

from dataclasses import replace

from incentive_engine.config.offer import ColumnTitle, Title
from incentive_engine.language import LANGUAGES, say
from incentive_engine.report.content import Advice
from incentive_engine.report.pages.page import render_report
from incentive_engine.report.titles import Titles

from .examples import full
from .test_page import read

TITLES = Titles(
    offers={"off10": Title(en="ten off", zh="十元券")},
    columns={
        "tier": ColumnTitle(
            title=Title(en="member tier", zh="会员等级"), values={"88VIP": Title(zh="黑金会员")}
        )
    },
)


def test_a_page_shows_titles_in_its_language_and_ids_where_there_are_none() -> None:
    pages = {code: render_report(full(), lang=code, titles=TITLES) for code in LANGUAGES}
    for page, offer, column in (
        (pages["en"], "ten off", "member tier"),
        (pages["zh"], "十元券", "会员等级"),
    ):
        assert offer in page
        assert column in page
        assert "黑金会员" in page  # the only language that it has
        assert "off10<" not in page
        assert "vip50" in page


def test_a_verdict_names_an_offer_by_its_title() -> None:
    way = say("ways.everyone", offer="off10")
    advice = Advice(kind="stop", verdict=say("advice.better_way", way=way), trial="fine")
    page = render_report(replace(full(), advice=advice), titles=TITLES)
    assert "by the trial, “everyone the same: ten off” brings more" in page


def test_a_title_changes_nothing_but_names() -> None:
    plain = read(replace(full(), campaign="x")).text
    titled = render_report(replace(full(), campaign="x"), titles=Titles())
    assert render_report(replace(full(), campaign="x")) == titled
    assert "off10" in plain


def test_a_title_cannot_leave_its_place() -> None:
    hostile = Titles(offers={"off10": Title(en="<script>alert(1)</script>")})
    assert "<script>alert" not in render_report(full(), titles=hostile)
