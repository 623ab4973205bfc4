"""The studio in a real browser, by what a person does: at a desk and on a phone, twice."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import pytest

from report.browser import CHROMIUM, Browser, browser
from service.runs import solved
from service.servers import serving

from .harness import Caller, page_of, studio

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine: the studio was NOT tested in a browser"
)
DESK, PHONE = 1280, 390


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose run is a campaign of today."""
    where = tmp_path_factory.mktemp("campaign")
    now = datetime.now(UTC)
    start, end = (now + timedelta(hours=hours) for hours in (-6, 6))
    times = {"start": f"{start:%Y-%m-%d %H:%M}", "end": f"{end:%Y-%m-%d %H:%M}"}
    solved(where, users=400, budget={"amount": 600.0}, campaign={**times, "traffic": "even"})
    return where


@pytest.fixture(scope="module")
def desk(campaign: Path) -> Iterator[Caller]:
    with studio(campaign) as caller:
        yield caller


def click(page: Browser, selector: str) -> None:
    page.run(f"document.querySelector({json.dumps(selector)}).click()")


def fill(page: Browser, selector: str, text: str) -> None:
    page.run(
        f"(() => {{ const field = document.querySelector({json.dumps(selector)}); "
        f"field.value = {json.dumps(text)}; "
        "field.dispatchEvent(new Event('input', {bubbles: true})); "
        "field.dispatchEvent(new Event('change', {bubbles: true})); })()"
    )


def moves(page: Browser) -> int:
    return int(page.run("Number(document.querySelector('[data-policy]').dataset.moves || 0)"))


def moved(page: Browser, since: int) -> None:
    page.wait(
        f"Number(document.querySelector('[data-policy]').dataset.moves || 0) > {since} && "
        "!document.querySelector('.outlook.stale')"
    )


def check(page: Browser, url: str) -> None:
    """Nothing serious for axe, nothing in the console, nothing from elsewhere, no scrolling."""
    assert page.complaints() == [], page.run("document.body.innerText")
    assert [each for each in page.requests() if not each.startswith((url, "data:"))] == []
    assert page.run("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.barriers() == []


def opened(page: Browser, desk: Caller, path: str, *, width: int, lang: str) -> None:
    page.events.clear()
    page.visit(desk.url + path, width=width, lang=lang)


@pytest.mark.slow
@pytest.mark.parametrize(("width", "lang"), [(DESK, "en"), (PHONE, "zh")])
def test_a_planner_moves_saves_plans_approves_exports_and_compares(
    page: Browser, desk: Caller, campaign: Path, width: int, lang: str
) -> None:
    before = (campaign / "policy.yaml").read_text(encoding="utf-8")
    opened(page, desk, page_of("policy.yaml"), width=width, lang=lang)
    move_and_see(page, desk)
    keep_scenario(page, f"lean {width}")
    write_and_save(page, desk)
    saved = (campaign / "policy.yaml").read_text(encoding="utf-8")
    assert "holdout: 12%" in saved
    run = plan(page)
    check(page, desk.url)
    fill(page, "[name=by]", "Bo")
    page.run("document.querySelector('form[action=\"/run/approve\"]').requestSubmit()")
    assert desk.task_ended(run, "approve")["state"] == "done"
    opened(page, desk, page_of(run, "run"), width=width, lang=lang)
    assert "Bo" in page.run("document.querySelector('#approval').parentElement.textContent")
    fill(page, "[name=to]", f"out/{width}.csv")
    page.run("document.querySelector('form[action=\"/run/export\"]').requestSubmit()")
    task = desk.task_ended(run, "export")
    assert task["state"] == "done", task
    assert (campaign / "out" / f"{width}.csv").is_file()
    opened(page, desk, f"/compare?run=run&run={run}", width=width, lang=lang)
    assert "holdout" in page.run("document.querySelector('#policy').parentElement.textContent")
    check(page, desk.url)
    (campaign / "policy.yaml").write_text(before, encoding="utf-8")


def move_and_see(page: Browser, desk: Caller) -> None:
    """Move the budget by keyboard, and a floor to where it cannot hold and back."""
    moved(page, 0)
    first = page.run("document.querySelector('[data-figures]').textContent")
    page.run("document.querySelector('[data-slider] [type=range]').focus()")
    count = moves(page)
    page.press("ArrowLeft", times=30)
    moved(page, count)
    page.wait("document.querySelector('[data-gain]') && !document.querySelector('.deeper-stale')")
    assert page.run("document.querySelector('[data-figures]').textContent") != first
    check(page, desk.url)
    count = moves(page)
    fill(page, '[data-slider="[\\"limits\\", 3, \\"at_least\\"]"] [type=number]', "50")
    moved(page, count)
    assert "roi" in page.run("document.querySelector('[data-infeasible]').textContent")
    count = moves(page)
    click(page, "[data-undo]")
    moved(page, count)
    assert page.run("document.querySelector('[data-infeasible]').hidden")


def keep_scenario(page: Browser, name: str) -> None:
    fill(page, "[data-scenario] [name=name]", name)
    page.run("document.querySelector('[data-scenario]').requestSubmit()")
    page.wait(f"document.querySelector('[data-scenarios]').textContent.includes('{name}')")


def write_and_save(page: Browser, desk: Caller) -> None:
    """Write a wrong value and a right one: the fault stands at its field."""
    fill(page, "[data-slider] [type=number]", "520")
    click(page, "#tab-form")
    page.wait("document.querySelector('#f-budget-amount').value === '520'")
    fill(page, "#f-holdout", "150%")
    page.wait("document.querySelector('#f-holdout').getAttribute('aria-invalid') === 'true'")
    check(page, desk.url)
    fill(page, "#f-holdout", "12%")
    page.wait("document.querySelector('#yaml').value.includes('holdout: 12%')")
    click(page, "[data-save]")
    page.wait("document.querySelector('[data-save]').disabled")
    page.wait("!document.querySelector('[data-plan]').disabled")
    click(page, "#tab-move")


def plan(page: Browser) -> str:
    """Plan what is saved, and return the name of the run that the page leads to."""
    click(page, "[data-plan]")
    page.wait("location.pathname === '/run'")
    page.wait("document.querySelector('.verdict details') !== null")
    return unquote(page.run("new URLSearchParams(location.search).get('path')"))


SLOW = """(() => {
  const real = window.fetch;
  window.fetch = async (address, options) => {
    const answer = await real(address, { ...options, signal: undefined });
    if (address === "/policy/move") await new Promise((done) => setTimeout(done, 700));
    return answer;
  };
})()"""
"""Answers to moves come late, whoever has given up on them."""


@pytest.mark.slow
def test_a_late_answer_undoes_nothing(page: Browser, desk: Caller) -> None:
    opened(page, desk, page_of("policy.yaml"), width=DESK, lang="en")
    moved(page, 0)
    page.run(SLOW)
    holds = "document.querySelector('#yaml').value.includes({})".format
    budget, stock = (f"[data-slider='{json.dumps(loc)}'] [type=number]" for loc in (
        ["budget", "amount"], ["limits", 1, "at_most"]))  # fmt: skip
    for value in ("350", "300"):  # one after the other, while the first is on its way
        fill(page, budget, value)
        time.sleep(0.2)
    fill(page, stock, "4")
    time.sleep(0.2)
    click(page, "#tab-form")
    fill(page, "#f-holdout", "12%")
    page.wait(holds("'holdout: 12%'"))
    written = page.run("document.querySelector('#yaml').value")
    fill(page, "#yaml", written.replace("name: spring", "name: autumn"))
    time.sleep(2)
    page.wait("!document.querySelector('.outlook.stale')")
    text = page.run("document.querySelector('#yaml').value")
    changes = ("name: autumn", "amount: 300", "at_most: 4", "holdout: 12%")
    assert [change for change in changes if change not in text] == []
    assert page.run(f"document.querySelector({json.dumps(budget)}).value") == "300"
    click(page, "[data-revert]")
    page.wait("document.querySelector('[data-save]').disabled")


@pytest.mark.slow
@pytest.mark.parametrize(("width", "lang"), [(DESK, "en"), (PHONE, "zh")])
def test_two_windows_lose_nothing(
    page: Browser, desk: Caller, campaign: Path, width: int, lang: str
) -> None:
    file = campaign / "twice.yaml"
    file.write_text((campaign / "policy.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    opened(page, desk, page_of("twice.yaml"), width=width, lang=lang)
    moved(page, 0)
    text = file.read_text(encoding="utf-8")
    theirs = text.replace("seed: 3", "seed: 4").replace("amount: 600.0", "amount: 700")
    file.write_text(theirs, encoding="utf-8")
    count = moves(page)
    fill(page, "[data-slider] [type=number]", "300")
    moved(page, count)
    click(page, "[data-save]")
    page.wait("!document.querySelector('[data-conflict]').hidden")
    assert "seed: 4" in file.read_text(encoding="utf-8")
    count = moves(page)
    click(page, "[data-merge]")
    page.wait("document.querySelector('#yaml').value.includes('seed: 4')")
    moved(page, count)
    time.sleep(1)  # figures come, and take no word of this away
    assert "budget.amount" in page.run("document.querySelector('[data-both]').innerText")
    click(page, "[data-save]")
    page.wait("document.querySelector('[data-save]').disabled")
    assert page.run("document.querySelector('[data-both]').hidden")
    assert file.read_text(encoding="utf-8") == text.replace("seed: 3", "seed: 4").replace(
        "amount: 600.0", "amount: 300"
    )
    page.visit(f"{desk.url}/tasks")  # which asks no more about a file that goes
    file.unlink()


@pytest.mark.slow
def test_a_studio_that_is_closed_says_so_and_opened_again_goes_on(
    page: Browser, campaign: Path
) -> None:
    file = campaign / "later.yaml"
    file.write_text((campaign / "policy.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    slider, silent = "[data-slider] [type=number]", "does not answer"
    with studio(campaign) as first:
        opened(page, first, page_of("later.yaml"), width=DESK, lang="en")
        moved(page, 0)
        fill(page, slider, "310")
        page.wait("document.querySelector('#yaml').value.includes('amount: 310')")
    for button in ("[data-save]", "[data-plan]"):
        page.run("document.querySelector('[data-faults]').replaceChildren()")
        click(page, button)
        page.wait(f"document.querySelector('[data-faults]').textContent.includes('{silent}')")
    fill(page, slider, "320")
    page.wait(f"document.querySelector('[data-state]').textContent.includes('{silent}')")
    thrown = [e for e in page.events if e.get("method") == "Runtime.exceptionThrown"]
    assert thrown == []
    with studio(campaign, "--port", first.url.rpartition(":")[2]):
        click(page, "[data-save]")
        page.wait("document.querySelector('[data-save]').disabled")
        assert "amount: 320" in file.read_text(encoding="utf-8")
        page.call("Page.navigate", url="about:blank")  # which asks nobody any more
        page.wait("location.href === 'about:blank'")
    file.unlink()


@pytest.mark.slow
def test_a_running_campaign_is_followed_and_answered(
    page: Browser, desk: Caller, campaign: Path
) -> None:
    with serving(campaign / "run") as server:
        shop = server.caller()
        for number in range(200):
            shop.decide(f"用户/{number}")
        opened(page, desk, page_of("run", "campaign"), width=PHONE, lang="zh")
        came = "document.querySelector('.card .figure').textContent.trim()"
        assert page.run(came) == "200"
        pool = page.run("document.querySelector('#pool').parentElement.innerText")
        assert "budget" not in pool
        for number in range(200, 220):
            shop.decide(f"用户/{number}")
        page.wait(f"{came} === '220'")
        page.wait("document.querySelector('svg') !== null")
        check(page, desk.url)
        finding = page.run("document.querySelector('[name=finding]').value")
        fill(page, "[name=by]", "Bo")
        click(page, "[name=verb][value=decline]")
        page.wait("document.querySelector('#answers') !== null")
        said = page.run("document.querySelector('#answers').parentElement.textContent")
        assert "Bo" in said
        assert finding in said


def reachable_when_scrolled(page: Browser, selector: str) -> None:
    """Nothing that stays in sight lies over a button that does, too."""
    top = page.run(
        "(() => { window.scrollTo(0, 900); "
        f"const button = document.querySelector({json.dumps(selector)}); "
        "const box = button.getBoundingClientRect(); "
        "return [0.1, 0.9].map(part => document.elementFromPoint(box.x + box.width / 2, "
        "box.y + part * box.height) === button); })()"
    )
    assert top == [True, True]
    page.run("window.scrollTo(0, 0)")


@pytest.mark.slow
@pytest.mark.parametrize(("width", "lang"), [(DESK, "zh"), (PHONE, "en")])
def test_every_page_is_accessible_and_quiet(
    page: Browser, desk: Caller, width: int, lang: str
) -> None:
    for path in ("/", page_of("policy.yaml"), page_of("run", "run"), "/tasks", "/compare"):
        opened(page, desk, path, width=width, lang=lang)
        if path.startswith("/policy"):
            moved(page, 0)
            reachable_when_scrolled(page, "[data-plan]")
        if path == "/compare":  # an error, and its page
            page.events.clear()
        check(page, desk.url)
