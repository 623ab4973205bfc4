"""Pages of a folder's policies and runs: the list, one run, two runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from starlette.responses import FileResponse, Response

from incentive_engine.config.policy import Policy
from incentive_engine.errors import ConfigError, DataError, Fault
from incentive_engine.insight.pages.plan_content import titles_of
from incentive_engine.insight.value.plan_gain import ValuedTrial
from incentive_engine.language import Language, say
from incentive_engine.report.content import StatedObjective
from incentive_engine.report.pages.page import limit_lines
from incentive_engine.report.titles import Named, limit_with_titles
from incentive_engine.report.words import aim
from incentive_engine.run.finished import FinishedRun
from incentive_engine.run.format import RunFile
from incentive_engine.run.statements import StatedEstimate
from incentive_engine.stats.estimate import Estimate
from incentive_engine.studio.frame import interval, spoken_figure
from incentive_engine.studio.tasks import Order
from incentive_engine.studio.visit import Visit, back
from incentive_engine.workflow.studio.policy_file import copy_samples
from incentive_engine.workflow.studio.run_view import (
    RunComparison,
    Verifier,
    compare_runs,
    run_view,
)


def home(visit: Visit) -> Response:
    """Show policies and runs, or those that a search finds."""
    search = visit.asked("q")
    listing = visit.studio.folder.listing()
    return visit.page(
        "home.html.j2",
        search=search,
        found=listing.matching(search),
        listing=listing,
        root=visit.studio.folder.root,
    )


def samples(visit: Visit) -> Response:
    """Put the sample policies into the folder, where it has none of their names."""
    copy_samples(visit.studio.folder.root)
    return back("/")


def run(visit: Visit) -> Response:
    """Show one run: what it brings, its limits, who approved it, its report."""
    directory = visit.run()
    view = run_view(directory)
    folder = visit.studio.folder
    entry = folder.run_entry(directory)
    lines = limit_lines(
        visit.t,
        [limit_with_titles(limit, Named(view.titles, visit.t.code)) for limit in view.limits],
        currency=visit.t.unit(view.run.policy.currency),
        proof=view.proof,
    )
    return visit.page(
        "run.html.j2",
        path=folder.name(directory),
        view=view,
        entry=entry,
        aim=aim(visit.t, view.proof.aim),
        unit=visit.t.unit(view.run.policy.currency),
        lines=[line for line in lines if not line.is_idle],
        idle=[line for line in lines if line.is_idle],
        others=[e for e in folder.listing().runs if e.run and e.path != entry.path],
        policy=_policy_of(visit, view.run),
        ledger=folder.ledger(directory),
        task=visit.studio.tasks.running(entry.path),
        exporting=bool(view.run.policy.approval and view.run.policy.approval.required),
    )


def report(visit: Visit) -> Response:
    """Show the report of a run, walled off from the studio's pages."""
    path = visit.run() / RunFile.REPORT
    if not path.is_file():
        raise DataError(
            Fault(visit.asked("path"), say("studio.no_report"), remedy=say("studio.plan_anew"))
        )
    # a report is a file of the folder: whatever stands in it cannot reach the studio
    report_policy = (
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
        "img-src data:; sandbox allow-scripts; frame-ancestors 'self'"
    )
    headers = {"Content-Security-Policy": report_policy}
    return FileResponse(path, media_type="text/html; charset=utf-8", headers=headers)


def checks(verifier: Verifier) -> Callable[[Visit], Response]:
    """Return the page of what `verify` finds, which is a part of another."""

    def page(visit: Visit) -> Response:
        verification = verifier.verify(visit.run())
        lines = visit.inside(verification.to_text(visit.t.code)).splitlines()
        return visit.page("checks.html.j2", verification=verification, lines=lines)

    return page


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of two runs."""

    title: str
    before: str
    after: str
    change: str
    ranges: tuple[str, str, str] = ("", "", "")
    """Intervals of the three; empty where there is none."""


def compare(trial_of: Callable[[Policy], ValuedTrial | None]) -> Callable[[Visit], Response]:
    """Return the page of two runs side by side.

    Parameters
    ----------
    trial_of
        The trial of a policy that is open; None where it is not.
    """

    def page(visit: Visit) -> Response:
        names = visit.request.query_params.getlist("run")
        if len(names) != 2:
            raise ConfigError(Fault(say("studio.compare"), say("studio.pick_two")))
        first, second = (visit.run(name) for name in names)
        comparison = compare_runs(first, second, trial_of)
        return visit.page(
            "compare.html.j2",
            names=names,
            found=comparison,
            policies=_policies(visit, comparison),
            figures=_figures(visit.t, comparison),
            unit=visit.t.unit(comparison.after.policy.currency),
            offer=Named(titles_of(comparison.after.policy), visit.t.code).offer,
        )

    return page


def _policies(visit: Visit, found: RunComparison) -> list[str]:
    """Return the policies that have to be opened before a difference has its interval."""
    if found.difference is not None or not found.is_valued:
        return []
    names = [_policy_of(visit, run) for run in (found.before, found.after)]
    return list(dict.fromkeys(name for name in names if name))


def _figures(t: Language, found: RunComparison) -> list[Figure]:
    before, after, more = found.before, found.after, found.difference
    old, new = before.evaluation.plan, after.evaluation.plan
    rows: list[Figure] = []
    if old is not None and new is not None:
        for key, first, second, paired in (
            ("studio.by_trial_conversions", old.conversions, new.conversions,
             more.conversions if more else None),
            ("studio.by_trial_spend", old.spend, new.spend, more.spend if more else None),
            ("studio.by_trial_cost", old.cost, new.cost, more.cost if more else None),
            ("studio.by_trial_profit", old.profit, new.profit, more.profit if more else None),
        ):  # fmt: skip
            if first is not None and second is not None:
                rows.append(_estimated(t, t(key), first, second, paired))
    one, two = before.certificate, after.certificate
    rows += [
        _plain(t, t("studio.budget"), one.budget.amount, two.budget.amount),
        _plain(t, t("studio.spent"), one.budget.spent, two.budget.spent),
        _plain(t, t("studio.worst"), one.budget.spent_face, two.budget.spent_face),
        _plain(
            t,
            t("studio.treated"),
            one.treated,
            two.treated,
            said=lambda users: t.count(round(users)),
        ),
        _plain(t, _value(t, before, after), one.value, two.value),
    ]
    return rows


def _estimated(
    t: Language,
    title: str,
    before: StatedEstimate,
    after: StatedEstimate,
    paired: Estimate | None,
) -> Figure:
    plain = _plain(t, title, before.estimate, after.estimate)
    ranges = (interval(t, before), interval(t, after), interval(t, paired))
    return replace(plain, ranges=ranges)


def _value(t: Language, before: FinishedRun, after: FinishedRun) -> str:
    """Return what is maximised, where both plans maximise the same."""
    aims = {aim(t, StatedObjective.of(run.policy.objective)) for run in (before, after)}
    return t("studio.value_of", aim=aims.pop()) if len(aims) == 1 else t("studio.value")


def _plain(
    t: Language,
    title: str,
    before: float | None,
    after: float | None,
    *,
    said: Callable[[float], str] | None = None,
) -> Figure:
    say_figure = said or (lambda figure: spoken_figure(t, figure))
    change = "–"
    if before is not None and after is not None:
        sign = "+" if after > before else ""
        share = f" ({sign}{t.percent(after / before - 1)})" if before else ""
        change = f"{sign}{say_figure(after - before)}{share}" if after != before else "="
    ends = ["–" if value is None else say_figure(value) for value in (before, after)]
    return Figure(title=title, before=ends[0], after=ends[1], change=change)


def approve(visit: Visit) -> Response:
    """Begin to approve a run: it is verified first."""
    name = visit.field("path")
    by = visit.person.name if visit.person.proven else visit.field("by")
    if not by.strip():
        raise ConfigError(Fault(say("studio.approve"), say("studio.who")))
    order = Order(
        kind="approve", file=visit.run(name), folder=visit.studio.folder.root, by=by,
        note=visit.field("note") or None, lang=visit.t.code,
    )  # fmt: skip
    visit.studio.tasks.start(order, about=name)
    return back(visit.field("back") or "/tasks")


def export(visit: Visit) -> Response:
    """Begin to write a run's offers into the folder."""
    name, folder = visit.field("path"), visit.studio.folder
    directory, preset = visit.run(name), visit.field("preset") or None
    to = folder.path(visit.field("to"))
    ledger = folder.ledger(directory) if visit.field("book") else None
    order = Order(
        kind="export", file=directory, folder=folder.root, by=visit.person.name, to=str(to),
        preset=preset, accepted=tuple(visit.field("accept").split()),
        ledger=ledger, lang=visit.t.code,
    )  # fmt: skip
    visit.studio.tasks.start(order, about=name)
    return back(visit.field("back") or "/tasks")


def _policy_of(visit: Visit, run: FinishedRun) -> str | None:
    """Return the policy file that a run was made from, where it lies in the folder."""
    stated = run.manifest.inputs.get("policy")
    path = None if stated is None else Path(stated.path)
    if path is None or not path.is_file():
        return None
    inside = path.resolve().is_relative_to(visit.studio.folder.root)
    return visit.studio.folder.name(path) if inside else None
