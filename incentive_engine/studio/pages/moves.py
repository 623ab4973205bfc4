"""Calls of the sliders: the plan under the settings of now, and what lies deeper, when asked."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response

from incentive_engine.config.document.draft import read_draft
from incentive_engine.errors import ConfigError, Fault
from incentive_engine.insight.pages.plan_content import titles_of
from incentive_engine.insight.planner.outlook import PlanOutlook
from incentive_engine.insight.planner.warm_plan import WarmPlan
from incentive_engine.language import Language, say
from incentive_engine.report.evidence import Response as Budgets
from incentive_engine.report.figures.charts import Axis, Chart, Series, figure
from incentive_engine.report.pages.page import LimitLine, limit_lines
from incentive_engine.report.titles import Named, limit_with_titles
from incentive_engine.report.words import aim, limit_title
from incentive_engine.studio.scenarios import SavedScenario
from incentive_engine.studio.tasks import Order
from incentive_engine.studio.visit import Visit
from incentive_engine.workflow.studio.warm_plans import WarmPlans


class Sliders:
    """The calls of one studio's sliders, and the plans that they move.

    Parameters
    ----------
    plans
        The campaigns that somebody moves limits of.
    """

    def __init__(self, plans: WarmPlans) -> None:
        """Take the plans."""
        self._plans = plans

    def move(self, visit: Visit) -> Response:
        """Return the figures of the plan under a text's settings, its changes applied first."""
        draft = visit.draft()
        content: dict[str, Any] = {
            "seq": visit.form.get("seq"),
            "text": draft.text,
            "faults": visit.faults(draft),
        }
        if draft.policy is None:
            return JSONResponse(content)
        scores = visit.scores()
        warm = self._plans.find(draft.policy, scores)
        if warm is None:
            if not self._plans.is_prepared(draft.policy, scores):
                return JSONResponse(content | {"prepare": True})
            warm = self._plans.open(draft.policy, scores)
        outlook = warm.outlook(draft.policy)
        return JSONResponse(content | _told(visit, outlook))

    def prepare(self, visit: Visit) -> Response:
        """Begin to train and score for a draft, as far as that has not been done before."""
        name, folder = visit.field("path"), visit.studio.folder
        draft = read_draft(visit.field("text"), folder.policy(name), require_data=True)
        policy = draft.valid()

        def noted() -> None:
            self._plans.note_prepared(policy)

        order = Order(
            kind="prepare", file=draft.path, folder=folder.root, by=visit.person.name,
            text=draft.text, lang=visit.t.code,
        )  # fmt: skip
        task = visit.studio.tasks.running(name)
        if task is None or task.order.kind != "prepare":
            task = visit.studio.tasks.start(order, about=name, then=noted)
        return JSONResponse({"about": name, "task": task.id})

    def deeper(self, visit: Visit) -> Response:
        """Return what takes longer of the plan solved last: its gain by the trial or another part.

        Nothing comes where there is no such plan any more: the hand has moved on.
        """
        draft, part = visit.draft(), visit.field("part")
        if part not in {"gain", "rules", "curve"}:
            raise ConfigError(
                Fault(part, say("studio.unreadable"), remedy=say("studio.load_anew"))
            )
        warm = draft.policy and self._plans.find(draft.policy, visit.scores())
        text = _deeper(visit, warm, part) if warm else ""
        return JSONResponse({"html": text, "seq": visit.form.get("seq")})

    def keep_scenario(self, visit: Visit) -> Response:
        """Keep the settings of now under a name."""
        # characters of a scenario's name
        longest = 60
        name = " ".join(visit.field("name").split())[:longest]
        if not name:
            raise ConfigError(Fault(say("studio.scenario"), say("studio.name_it")))
        draft = visit.draft()
        warm = self._warm(visit)
        outlook = warm.outlook(draft.valid())
        scenario = SavedScenario(name=name, text=draft.text, outlook=outlook, gain=warm.gain())
        visit.studio.scenarios.keep(visit.field("path"), scenario)
        return _scenarios(visit)

    def drop_scenario(self, visit: Visit) -> Response:
        """Forget a scenario."""
        visit.studio.scenarios.drop(visit.field("path"), visit.field("name"))
        return _scenarios(visit)

    def _warm(self, visit: Visit) -> WarmPlan:
        warm = self._plans.find(visit.draft().valid(), visit.scores())
        if warm is None:
            raise ConfigError(Fault(visit.field("path"), say("studio.not_open")))
        return warm


def _told(visit: Visit, outlook: PlanOutlook) -> dict[str, Any]:
    """Return an outlook as the page takes it."""
    t, lines = visit.t, lines_of(visit.t, outlook)
    conflict = [visit.fault(fault) for fault in outlook.conflict]
    return {
        "feasible": outlook.feasible,
        "brief": t(
            "studio.brief",
            value=t.number(outlook.proof.value),
            aim=aim(t, outlook.proof.aim),
            cost=t.brief(outlook.cost),
            unit=t.unit(outlook.policy.currency),
        )
        if outlook.feasible
        else t("studio.no_plan_but", way=conflict[-1]["text"]),
        "took": t("studio.took", seconds=outlook.seconds),
        "conflict": conflict,
        "figures": visit.part(
            "figures.html.j2",
            outlook=outlook,
            aim=aim(t, outlook.proof.aim),
            unit=t.unit(outlook.policy.currency),
        ),
        "limits": visit.part(
            "limits.html.j2",
            lines=[line for line in lines if not line.is_idle],
            idle=[line for line in lines if line.is_idle],
        ),
    }


def lines_of(t: Language, outlook: PlanOutlook) -> list[LimitLine]:
    """Return the limits of an outlook in words."""
    named = Named(titles_of(outlook.policy), t.code)
    return limit_lines(
        t,
        [limit_with_titles(limit, named) for limit in outlook.limits],
        currency=t.unit(outlook.policy.currency),
        proof=outlook.proof,
    )


def _deeper(visit: Visit, warm: WarmPlan, part: str) -> str:
    outlook = warm.last
    if outlook is None:
        return ""
    unit = visit.t.unit(outlook.policy.currency)
    if part == "gain":
        return visit.part("gain.html.j2", gain=warm.gain(), unit=unit)
    if part == "rules":
        what = aim(visit.t, outlook.proof.aim)
        return visit.part("rules.html.j2", rules=_rules(visit, warm), aim=what, unit=unit)
    return visit.part("curve.html.j2", curve=_curve(visit, warm), unit=unit)


def _rules(visit: Visit, warm: WarmPlan) -> list[tuple[str, float, float]]:
    """Return each limit's name, what dropping it adds at most, and its share of the value."""
    outlook = warm.last
    value = outlook.proof.value if outlook else 0.0
    gains = sorted(warm.rules().items(), key=lambda rule: -rule[1])
    t = visit.t
    return [(limit_title(t, n), gain, gain / value if value > 0 else 0.0) for n, gain in gains]


def _curve(visit: Visit, warm: WarmPlan) -> str | None:
    outlook = warm.last
    try:
        response = warm.response()
    except ConfigError:  # limits that hold now may contradict each other under other budgets
        return None
    if response is None or outlook is None or len(response.points) < 2:
        return None
    return figure(visit.t, budget_chart(visit.t, response, outlook))


def budget_chart(t: Language, response: Budgets, outlook: PlanOutlook) -> Chart:
    """Return what other budgets would bring, with the present one marked."""
    budget = outlook.policy.budget
    assert budget is not None
    unit, what = t.unit(outlook.policy.currency), aim(t, outlook.proof.aim)
    mine = (outlook.cost if budget.basis == "expected" else budget.amount, outlook.proof.value)
    points = sorted([mine, *((point.spent, point.value) for point in response.points)])
    return Chart(
        caption=t("studio.curve", aim=what),
        x=Axis(title=t("studio.curve_budget", unit=unit)),
        y=Axis(title=what),
        series=(
            Series(
                label=t("studio.best"), x=[p[0] for p in points], y=[p[1] for p in points],
                dots=len(points) < 20,
            ),
        ),
        mark=(*mine, t("studio.here")),
    )  # fmt: skip


def _scenarios(visit: Visit) -> Response:
    html = visit.part("scenarios.html.j2", **visit.scenarios(visit.field("path")))
    return JSONResponse({"html": html})
