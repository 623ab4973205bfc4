"""The page in a real browser: the slider moves what it should, and nothing leaves the page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from incentive_engine.language import Code
from incentive_engine.report.pages.page import render_report

from .browser import CHROMIUM, Browser, browser
from .examples import full, response

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine: the report was NOT tested in a browser"
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    exact = replace(full(), response=response(exact=True))
    points = tuple(replace(p, groups=p.groups[:1]) for p in response(exact=True).points)
    alone = replace(response(exact=True), groups=("",), points=points)
    made = {
        "alone": render_report(replace(full(), response=alone)),
        "solved": render_report(full()),
        "exact": render_report(exact),
        "zh": render_report(full(), lang="zh"),
    }
    for name, text in made.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in made}


def data_of(file: Path) -> dict[str, Any]:
    found = re.search(r'<script id="response"[^>]*>(.*?)</script>', file.read_text("utf-8"))
    assert found is not None
    data: dict[str, Any] = json.loads(found.group(1))
    return data


def move_to(page: Browser, budget: float) -> None:
    page.run(
        "(() => { const slider = document.getElementById('slider'); "
        f"slider.value = {budget}; slider.dispatchEvent(new Event('input')); }})()"
    )


def shown(page: Browser, figure: str) -> float:
    text = page.run(f"document.querySelector('[data-figure=\"{figure}\"]').textContent")
    return float(re.sub(r"[^\d.−-]", "", text).replace("−", "-"))


@pytest.mark.parametrize("name", ["solved", "exact", "alone", "zh"])
def test_no_request_leaves_the_page_and_the_console_is_silent(
    page: Browser, reports: dict[str, Path], name: str
) -> None:
    page.open(reports[name])
    move_to(page, 120_000)
    page.press("Tab", times=3)
    outside = [url for url in page.requests() if url != reports[name].resolve().as_uri()]
    assert [url for url in outside if not url.startswith("data:")] == []
    assert page.complaints() == []


def test_a_request_that_a_page_tries_is_refused_and_noticed(page: Browser, tmp_path: Path) -> None:
    worse = tmp_path / "worse.html"
    text = render_report(full()).replace("</body>", '<img src="https://example.org/a.png"></body>')
    worse.write_text(text, encoding="utf-8")
    page.open(worse)
    page.wait("document.images[0].complete")
    assert any("Content Security Policy" in complaint for complaint in page.complaints())


@pytest.mark.parametrize("name", ["solved", "exact"])
@pytest.mark.parametrize("budget", [50_000, 71_000, 150_000, 260_000, 400_000])
def test_the_figures_follow_the_slider_as_the_embedded_points_say(
    page: Browser, reports: dict[str, Path], name: str, budget: float
) -> None:
    data = data_of(reports[name])
    page.open(reports[name])
    move_to(page, budget)

    def expected(series: list[float]) -> float:
        return float(np.interp(budget, data["budget"], series))

    for figure in ("conversions", "spend", "treated", "cost"):
        whole = sum(expected(group[figure]) for group in data["groups"])
        assert shown(page, figure) == pytest.approx(whole, rel=6e-3, abs=0.51)
    assert shown(page, "value") == pytest.approx(expected(data["value"]), rel=6e-3)
    assert shown(page, "marginal") == pytest.approx(1_000 * expected(data["price"]), rel=6e-3)
    assert shown(page, "budget") == budget


def test_a_figure_many_times_the_plans_is_shown_as_that_many_times(
    page: Browser, tmp_path: Path
) -> None:
    points = tuple(
        replace(p, price=p.price / 50) if p.budget >= 200_000 else p for p in response().points
    )
    flat = replace(full(), response=replace(response(), points=points))
    (tmp_path / "flat.html").write_text(render_report(flat), encoding="utf-8")
    page.open(tmp_path / "flat.html")
    move_to(page, 50_000)
    changes = {
        name: page.run(f"document.querySelector('[data-figure={name}-change]').textContent")
        for name in ("marginal", "value")
    }
    times = 50 * (200_000 / 50_000) ** 0.38
    assert changes == {
        "marginal": f"× {times:.0f}",
        "value": f"−{100 * (1 - 4**-0.62):.1f} %",
    }


def test_groups_add_up_to_the_whole_at_every_place(
    page: Browser, reports: dict[str, Path]
) -> None:
    page.open(reports["solved"])
    for budget in (60_000, 199_000, 333_000):
        move_to(page, budget)
        rows = page.run(
            "[...document.querySelectorAll('[data-group]')].map(row => "
            "row.querySelector('[data-cell=cost]').textContent)"
        )
        parts = [float(row.replace(",", "")) for row in rows]
        assert sum(parts) == pytest.approx(shown(page, "cost"), abs=1.01)


def test_the_page_says_whether_a_budget_is_solved_or_interpolated(
    page: Browser, reports: dict[str, Path]
) -> None:
    where = "document.querySelector('[data-figure=where]').textContent"
    page.open(reports["solved"])
    assert page.run(where) == "solved"
    move_to(page, 120_000)
    assert page.run(where) == "interpolated between 100,000 and 150,000"
    page.open(reports["exact"])
    move_to(page, 120_000)
    assert page.run(where) == "exact to a bin"


def test_the_slider_answers_to_the_keyboard_and_is_read_aloud(
    page: Browser, reports: dict[str, Path]
) -> None:
    page.open(reports["solved"])
    page.run("document.getElementById('slider').focus()")
    page.press("End")
    assert shown(page, "budget") == 400_000
    page.press("ArrowLeft", times=3)
    assert 390_000 < shown(page, "budget") < 400_000
    spoken = page.run("document.getElementById('slider').getAttribute('aria-valuetext')")
    assert spoken == page.run("document.querySelector('[data-figure=budget]').textContent")
    assert page.run("document.getElementById('slider').labels[0].textContent") == "Budget"
    page.run("document.querySelector('[data-reset]').click()")
    assert shown(page, "budget") == 200_000


@pytest.mark.parametrize("name", ["solved", "zh"])
@pytest.mark.parametrize("width", [360, 390, 768, 1200])
def test_nothing_is_wider_than_the_window(
    page: Browser, reports: dict[str, Path], name: str, width: int
) -> None:
    page.open(reports[name], width=width, height=800)
    assert page.run("document.documentElement.scrollWidth") <= width


def test_marks_of_the_plots_stay_inside_them(page: Browser, reports: dict[str, Path]) -> None:
    page.open(reports["exact"])
    for budget in (50_000, 400_000):
        move_to(page, budget)
        marks = page.run(
            "[...document.querySelectorAll('.now circle')].map(mark => "
            "[Number(mark.getAttribute('cx')), Number(mark.getAttribute('cy'))])"
        )
        assert len(marks) == 2
        assert all(46 <= x <= 448 and 16 <= y <= 244 for x, y in marks)


def test_print_shows_what_is_folded_and_hides_what_cannot_be_pressed(
    page: Browser, reports: dict[str, Path]
) -> None:
    page.open(reports["solved"])
    page.call("Emulation.setEmulatedMedia", media="print")
    try:
        assert page.run("getComputedStyle(document.querySelector('#slider')).display") == "none"
        assert page.run("getComputedStyle(document.querySelector('nav')).display") == "none"
        heights = page.run(
            "[...document.querySelectorAll('details table')].map(table => table.offsetHeight)"
        )
        assert heights
        assert all(height > 20 for height in heights)
    finally:
        page.call("Emulation.setEmulatedMedia", media="")
    assert page.pdf().startswith(b"%PDF")


@pytest.mark.parametrize(("code", "word"), [("en", "Copied"), ("zh", "已复制")])
def test_the_public_rules_are_copied_or_selected(
    page: Browser, tmp_path: Path, code: Code, word: str
) -> None:
    file = tmp_path / "report.html"
    file.write_text(render_report(full(), lang=code), encoding="utf-8")
    page.open(file)
    page.run("document.querySelector('[data-copy]').click()")
    selected = page.run("window.getSelection().toString()")
    assert selected.strip() == page.run("document.getElementById('rules-text').innerText").strip()
    assert page.run("document.querySelector('[data-copy]').dataset.done") == word


@pytest.mark.parametrize("name", ["solved", "zh"])
def test_nobody_is_kept_from_reading(page: Browser, reports: dict[str, Path], name: str) -> None:
    page.open(reports[name])
    assert page.barriers() == []
