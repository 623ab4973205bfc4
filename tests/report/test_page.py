from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from incentive_engine.language import LANGUAGES, Code
from incentive_engine.report.content import ReportContent
from incentive_engine.report.evidence import Watched
from incentive_engine.report.pages.page import render_report
from incentive_engine.stats.estimate import Estimate

from .besides import held
from .examples import bare, full, limits, response, rich

VOID = {"meta", "i", "br", "path", "use", "link", "img"}


class Reader(HTMLParser):
    """Collects text, ids and references, and fails on tags that do not match."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in {"meta", "br", "link", "input"}:
            self.open.append(tag)
        self._note(attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._note(attrs)

    def _note(self, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in {"src", "href", "xlink:href"}:
                self.references.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.text += data


def read(content: ReportContent) -> Reader:
    reader = Reader()
    reader.feed(render_report(content))
    assert reader.open == []
    return reader


@pytest.mark.parametrize("content", [rich(), bare()], ids=["rich", "bare"])
def test_page_refers_to_nothing_outside_itself(content: ReportContent) -> None:
    page = render_report(content)
    reader = read(content)
    assert all(reference.startswith(("#", "data:,")) for reference in reader.references)
    assert "default-src 'none'" in page
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)


def test_ids_are_unique_and_every_reference_finds_one() -> None:
    reader = read(rich())
    assert len(reader.ids) == len(set(reader.ids))
    page = render_report(rich())
    used = [r.removeprefix("#") for r in reader.references if r != "data:,"] + re.findall(
        r"url\(#(\w+)\)", page
    )
    assert set(used) <= set(reader.ids)


def test_same_content_gives_the_same_bytes() -> None:
    assert render_report(rich()) == render_report(rich())


def test_headline_shows_the_estimate_with_its_interval_beside_the_sum_of_scores() -> None:
    text = read(rich()).text
    assert "1,402" in text
    assert "95 % interval 1,011 to 1,793" in text
    assert "sum to 1,842 conversions" in text
    assert "on 150,000 trial rows" in text


def test_scores_without_a_trial_are_said_to_be_a_sum_only() -> None:
    given = replace(bare(), headline=replace(bare().headline, treated=1))
    text = read(given).text
    assert "Sum of the scores only: scores were given without a trial" in text
    assert "interval" not in text.partition("What the words mean")[0]


def test_a_plan_for_nobody_says_so_and_doubts_nothing() -> None:
    text = read(bare()).text
    assert "Nobody gets an offer, so nothing changes." in text
    assert "too high" not in text


def test_the_ends_of_an_interval_have_the_same_digits() -> None:
    headline = replace(rich().headline, roi=Estimate(value=7.88, low=5.168, high=10.58))
    text = read(replace(rich(), headline=headline)).text
    assert "95 % interval 5.2 to 10.6" in text
    assert "7.9" in text


def test_the_holdout_is_told_by_what_it_costs_and_what_it_buys() -> None:
    text = read(full()).text
    assert "2,500 users (5.0 %) are kept without an offer." in text
    assert "would add at most 26.4 weighted conversions (0.8 % of the plan's)" in text
    assert "± 10.9 conversions per 1,000 users" in text
    assert "11.9 per 1,000 users, which a test at 5 % finds with a probability of 56 %" in text
    unknown = replace(held(), given_up=None, buys=None)
    assert "would add at most" not in read(replace(full(), holdout=unknown)).text


def test_the_page_says_before_which_shortfalls_outcomes_would_tell_while_it_runs() -> None:
    def told(watched: Watched) -> str:
        return read(replace(full(), holdout=replace(held(), watched=watched))).text

    some = Watched(nothing=0.15, half=None, nothing_at="2026-11-11 09:20", half_at="", least=0.62)
    text = told(some)
    assert "once 15 % of the users have come (by 2026-11-11 09:20)" in text
    assert "that half of what is stated is gained is not noticed before the end" in text
    assert "a gain that is 62 % short of what is stated, or more" in text
    blind = Watched(nothing=None, half=None, nothing_at="", half_at="", least=None)
    assert "not even that nothing at all is gained is noticed" in told(blind)


def test_names_from_data_are_escaped() -> None:
    page = render_report(rich())
    assert "double11 &lt;预热&gt;" in page
    assert "<预热>" not in page
    assert "region cap[广东省]" in page


def test_limits_show_the_budget_first_and_fold_those_that_are_out_of_the_way() -> None:
    text = read(replace(rich(), tables=())).text
    names = [
        "budget",
        "vip floor",
        "region cap[广东省]",
        "stock",
        "watch",
        "do not bind: 1",
        "roi",
    ]
    start = text.index("its price and what it costs")
    places = [text.index(name, start) for name in names]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("budget", "Each further 1,000 CNY would add about 10.4 weighted conversions"),
        ("vip floor", "Each 1,000 CNY of this floor costs about 3.10 weighted conversions"),
        ("stock", "Each further 100 users would add about 0.100 weighted conversions"),
        ("roi", "Relaxing it would change nothing"),
        ("watch", "Measured, not enforced; exceeded"),
    ],
)
def test_price_is_put_into_words(name: str, sentence: str) -> None:
    only = tuple(limit for limit in limits() if limit.name == name)
    assert sentence in read(replace(rich(), limits=only)).text


def test_favouring_states_what_it_costs() -> None:
    assert "favouring costs 148 (7.4 %)" in read(rich()).text


def test_an_infeasible_plan_is_not_called_one_to_use() -> None:
    content = replace(rich(), proof=replace(rich().proof, feasible=False))
    assert "breaks at least one limit" in read(content).text


def test_a_proven_optimum_is_called_one() -> None:
    assert "no plan is better" in read(bare()).text


@pytest.mark.parametrize(
    ("searched", "said"),
    [
        (None, ""),
        (1.1e-3, ""),
        (2e-6, "none can be more than 0.01 % better"),
        (0.0, "no plan of whole offers is better"),
    ],
)
def test_what_the_integer_solver_knows_is_told_where_it_is_more(
    searched: float | None, said: str
) -> None:
    content = full()
    proof = replace(content.proof, gap=2e-3, searched=searched)
    page = read(replace(content, proof=proof)).text
    assert said in page
    assert ("own account" in page) == bool(said)


def test_a_gap_that_nobody_would_act_on_is_told_as_a_round_bound() -> None:
    content = full()
    page = read(replace(content, proof=replace(content.proof, gap=2.1e-7, searched=0.0))).text
    assert "can be more than 0.01 % better" in page
    assert "own account" not in page


def test_intervals_around_or_below_zero_stay_on_the_page() -> None:
    headline = replace(rich().headline, conversions=Estimate(value=-5.0, low=-40.0, high=30.0))
    page = render_report(replace(rich(), headline=headline))
    assert "95 % interval −40.0 to 30.0" in page
    places = [float(place) for place in re.findall(r"left:([-\d.]+)%", page)]
    assert all(0 <= place <= 100 for place in places)


def test_a_single_budget_makes_no_slider_and_alike_ones_are_no_error() -> None:
    one = replace(response(), points=response().points[:1])
    assert "no other budget would change this plan" in read(replace(rich(), response=one)).text
    assert "Another budget" not in read(replace(rich(), response=None)).text
    nothing = replace(response().points[0], value=0.0, price=0.0)
    flat = replace(response(), points=(nothing, replace(nothing, budget=60_000.0)))
    assert "Another budget" in read(replace(rich(), response=flat)).text


def test_budgets_that_are_all_the_same_are_left_out_and_the_page_says_why() -> None:
    first = response().points[0]
    for second in (first, replace(first, budget=first.budget - 1.0)):
        page = read(replace(rich(), response=replace(response(), points=(first, second)))).text
        assert "no other budget would change this plan" in page


def test_what_cannot_be_drawn_is_left_out_and_said() -> None:
    low, high = response().points[0], response().points[-1]
    endless = (low, replace(high, budget=math.inf))
    page = read(replace(rich(), response=replace(response(), points=endless))).text
    assert "“Another budget” is left out of this page" in page
    assert "Limits" in page


def test_the_slider_stops_at_round_amounts_within_what_is_known() -> None:
    points = response().points
    uneven = (
        replace(points[0], budget=50_037.4),
        *points[1:-1],
        replace(points[-1], budget=398_812),
    )
    page = render_report(replace(rich(), response=replace(response(), points=uneven)))
    assert 'min="51000" max="398000" step="1000" value="200000"' in page


def test_the_slider_says_what_its_figures_stand_on() -> None:
    solved = read(rich()).text
    assert "The 6 dots are solved under all limits" in solved
    assert "lie on a straight line" in solved
    exact = read(replace(rich(), response=response(exact=True))).text
    assert "no two known points are more than 1,234 CNY apart" in exact
    assert "No figure stands for fewer than 20 users" in exact


def test_no_name_can_end_the_data_of_the_slider() -> None:
    data = re.search(r'<script id="response"[^>]*>(.*?)</script>', render_report(rich()))
    assert data is not None
    assert json.loads(data.group(1))["groups"][1]["name"] == "regular </script>"


def test_text_of_a_plot_stays_text() -> None:
    page = render_report(rich())
    assert ">200k</text>" in page
    assert page.count("<svg") == 2


def test_the_price_of_a_ratio_is_put_into_words() -> None:
    roi = next(limit for limit in limits() if limit.name == "roi")
    text = read(replace(rich(), limits=(replace(roi, price=0.002),))).text
    assert "Each 1,000 that the numerator may miss it by would add about 2.00 weighted" in text
    assert "0.560" in text


def test_checks_of_the_trial_and_drivers_stand_beside_the_model() -> None:
    text = read(full()).text
    assert "users against the trialwarningweighted to look like the users, the trial tells" in text
    assert re.search(r"off10age 60\.0.%, visits 40\.0.%", text)


def test_text_stands_out_from_what_it_stands_on() -> None:
    """WCAG asks for a contrast of 4.5; large figures would do with 3."""
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", render_report(bare())))
    pairs = [
        ("ink", "paper"), ("muted", "paper"), ("muted", "soft"), ("plan", "paper"),
        ("plan", "soft"), ("plan", "plan-soft"), ("good", "good-soft"), ("bad", "bad-soft"),
        ("ink", "bad-soft"), ("ink", "soft"), ("mark", "paper"),
    ]  # fmt: skip
    for text, ground in pairs:
        assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)


def contrast(one: str, other: str) -> float:
    """Return the ratio of two colours' luminances."""

    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("code", LANGUAGES)
def test_the_curve_of_gains_against_costs_stands_beside_constant_effects(code: Code) -> None:
    page = render_report(full(), lang=code)
    figure = page[page.index('id="cost-curve"') :].partition("</figure>")[0]
    model, constant = (
        re.findall(r'd="M([^"]*)" fill="none" stroke="' + colour, figure)[-1]
        for colour in ("#0b5a8a", "#c2410c")
    )
    heights = [
        [float(place.split()[1]) for place in path.split("L")] for path in (model, constant)
    ]
    assert len(heights[0]) == len(heights[1]) == 4
    assert heights[0][0] == heights[1][0]  # both start from nothing
    gains = [heights[0][0] - heights[0][-1], heights[1][0] - heights[1][-1]]
    assert gains[0] / gains[1] == pytest.approx(4 / 3, abs=0.01)
    assert "1.2" in page[page.index("</figure>", page.index('id="cost-curve"')) :][:1_500]
