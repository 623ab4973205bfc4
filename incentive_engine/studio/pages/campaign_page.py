"""The page of a running campaign: pool, pace against plan, findings to answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from starlette.responses import HTMLResponse, Response

from incentive_engine.domain import BUDGET, MICROS
from incentive_engine.errors import ConfigError, Fault
from incentive_engine.language import Language, say
from incentive_engine.live.ledger.commands import Standing
from incentive_engine.live.ledger.ledger import ledger_of
from incentive_engine.live.ledger.records import Action, Verb
from incentive_engine.report.figures.charts import Axis, Chart, Colour, Series, figure
from incentive_engine.report.words import limit_title
from incentive_engine.studio.door import unreadable
from incentive_engine.studio.visit import Visit, back
from incentive_engine.workflow.studio.running import PlannerAnswer, Running, hours_since


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLine:
    """Where one limit stands, in words.

    Attributes
    ----------
    title
        What the page calls it.
    share
        How much of the cap is used; None without a cap.
    """

    name: str
    title: str
    cap: str
    floor: str
    reserved: str
    settled: str
    left: str
    share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignPages:
    """The pages of running campaigns.

    Attributes
    ----------
    look
        Where a run's campaign stands by its ledger.
    settle
        Carries out what somebody answers to a finding of such a campaign.
    """

    look: Callable[[Path, str], Running]
    settle: Callable[[Path, str, PlannerAnswer], Action]

    def campaign(self, visit: Visit) -> Response:
        """Show a running campaign."""
        return visit.page("campaign.html.j2", path=_name(visit), **self._content(visit))

    def state(self, visit: Visit) -> Response:
        """Show where it stands now, as a part of its page."""
        return HTMLResponse(
            visit.part("standing.html.j2", path=_name(visit), **self._content(visit))
        )

    def _content(self, visit: Visit) -> dict[str, object]:
        run, t = visit.run(), visit.t
        running = self.look(run, _ledger(visit, run))
        zone = ZoneInfo(running.zone)
        return {
            "running": running,
            "pool": [pool_line(t, limit) for limit in _budget_first(running.pool)],
            "pace": _pace(t, running),
            "unit": t.unit(running.currency),
            "now": t.moment(running.now.astimezone(zone)),
            "at": lambda micros: t.moment(datetime.fromtimestamp(micros / MICROS, zone)),
        }

    def answer(self, visit: Visit) -> Response:
        """Accept a finding's proposal, or decline it, under somebody's name."""
        name, verb = visit.field("path"), visit.field("verb")
        by = visit.person.name if visit.person.proven else " ".join(visit.field("by").split())
        if not by:
            raise ConfigError(Fault(visit.field("finding"), say("studio.who_answers")))
        verbs = {"accept": Verb.ACCEPTED, "decline": Verb.DECLINED}
        if verb not in verbs:
            raise ConfigError(unreadable())
        run = visit.run(name)
        given = PlannerAnswer(key=visit.field("finding"), verb=verbs[verb], by=by)
        self.settle(run, _ledger(visit, run), given)
        return back(visit.field("back") or "/")


def _name(visit: Visit) -> str:
    return visit.studio.folder.name(visit.run())


def _ledger(visit: Visit, run_dir: Path) -> str:
    """Return where a run's live decisions are, or would be."""
    return visit.studio.folder.ledger(run_dir) or ledger_of(run_dir)


def _budget_first(pool: Sequence[Standing]) -> list[Standing]:
    return sorted(filter(_is_bounded, pool), key=lambda limit: limit.name != BUDGET)


def _is_bounded(limit: Standing) -> bool:
    """Whether a pool keeps it: a ratio has no bound that a sum could be held against."""
    return limit.at_most is not None or limit.at_least is not None


def pool_line(t: Language, limit: Standing) -> PoolLine:
    """Return where a limit stands, in words."""

    def text(amount: int | None) -> str:
        if amount is None:
            return "–"
        return t.count(amount) if limit.is_count else t.money(amount / MICROS)

    used = limit.reserved + limit.margin + limit.settled
    return PoolLine(
        name=limit.name,
        title=limit_title(t, limit.name),
        cap=text(limit.at_most),
        floor=text(limit.at_least),
        reserved=text(limit.reserved + limit.margin),
        settled=text(limit.settled),
        left=text(None if limit.at_most is None else max(limit.at_most - used, 0)),
        share=used / limit.at_most if limit.at_most else None,
    )


def _pace(t: Language, running: Running) -> str | None:
    pace = running.pace
    if pace is None:
        return None
    hours = hours_since(pace.at)
    chart = Chart(
        caption=t("studio.pace"),
        x=Axis(title=t("studio.pace_hours")),
        y=Axis(title=t("studio.pace_users")),
        series=(
            Series(label=t("studio.pace_came"), x=hours, y=pace.came.tolist(), dots=False),
            Series(
                label=t("studio.pace_planned"), x=hours, y=pace.planned.tolist(),
                colour=Colour.MUTED, dashed=True, dots=False,
            ),
        ),
    )  # fmt: skip
    return figure(t, chart)
