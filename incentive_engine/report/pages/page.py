"""The report as one HTML file that opens offline."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from markupsafe import Markup

from incentive_engine.language import Code, Language, language, say
from incentive_engine.report import words
from incentive_engine.report.content import (
    GroupRow,
    Headline,
    LimitRow,
    Note,
    Proof,
    ReportContent,
)
from incentive_engine.report.evidence import BenefitRow, LoyaltyCheck
from incentive_engine.report.figures.slider import Slider, slider
from incentive_engine.report.frame import render_page
from incentive_engine.report.pages.model_quality import (
    gain_chart,
    over_constant,
    quality_charts,
    quality_lines,
)
from incentive_engine.report.rules import rules_text
from incentive_engine.report.titles import Titles, with_titles

Drawing = TypeVar("Drawing")


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitLine:
    """One row of the table of limits, in words."""

    limit: LimitRow
    title: str
    scope: str
    bound: str
    usage: str
    slack: str
    share: float | None
    """How much of the nearer bound is used, where that is a share."""
    meaning: str
    binds: bool
    exceeded: bool

    @property
    def is_idle(self) -> bool:
        """Whether it is out of the plan's way, so that its row may be folded."""
        return not (self.binds or self.limit.report_only or self.limit.name == "budget")


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """Where nothing, an interval and its estimate lie on one line, in percent of its width."""

    zero: float
    low: float
    width: float
    value: float


def render_report(
    content: ReportContent, *, lang: Code = "en", titles: Titles | None = None
) -> str:
    """Return the page as HTML: no file, script or font from elsewhere.

    Parameters
    ----------
    titles
        What people read in place of ids.
    """
    if titles is not None:
        content = with_titles(content, titles, lang)
    t = language(lang)
    content = replace(content, currency=t.unit(content.currency))
    limits = limit_lines(t, content.limits, currency=content.currency, proof=content.proof)
    drawings, quality = _drawings(t, content), content.quality
    return render_page(
        "page.html.j2",
        lang=lang,
        content=content,
        aim=words.aim(t, content.proof.aim),
        proof=words.proven(t, content.proof),
        subtitle=words.subtitle(
            t, content.budget, currency=content.currency, users=content.headline.users
        ),
        evidence=words.evidence(t, content.headline),
        favouring=words.favouring(t, content.favoured) if content.favoured else "",
        used=_used(content),
        strip=_strip(content.headline),
        slider=drawings.slider,
        one_budget=(
            drawings.slider is None and content.response is not None and not drawings.undrawn
        ),
        binding=[line for line in limits if not line.is_idle],
        idle=[line for line in limits if line.is_idle],
        quality_lines=quality_lines(t, quality) if quality else [],
        quality_charts=drawings.quality or [],
        gain_chart=drawings.gains,
        over_constant=over_constant(t, quality) if quality else None,
        loyalty=[_loyalty(t, benefits.check, content.currency) for benefits in content.benefits],
        rules=rules_text(t, content),
        notes=[*content.notes, *drawings.undrawn],
        interval=lambda estimate, show=None: words.interval(t, estimate, show),
        centre=lambda estimate: words.centre(t, estimate),
        held=words.held(t, content.holdout, content.proof) if content.holdout else (),
        exploring=(
            words.exploring(t, content.exploring, content.proof) if content.exploring else ()
        ),
        step=lambda name: words.step(t, name),
        terms=(
            *("incremental", "value", "cost", "face", "price", "gap", "marginal"),
            *("holdout", "fold", "interval"),
        ),
        label=lambda row: _label(t, row),
        benefit_label=lambda row: _range(t, row),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawings:
    """What is drawn on the page, None where there is nothing to draw or it cannot be drawn."""

    slider: Slider | None
    quality: list[Markup] | None
    gains: Markup | None
    undrawn: list[Note]
    """What the page says of drawings whose numbers cannot be drawn."""


def _drawings(t: Language, content: ReportContent) -> _Drawings:
    quality, currency = content.quality, content.currency
    undrawn: list[Note] = []
    budgets = _drawn("budget.title", lambda: slider(t, content), undrawn)
    calibration = gains = None
    if quality is not None:
        charts = partial(quality_charts, t, quality, currency=currency)
        calibration = _drawn("quality.title", charts, undrawn)
    if quality is not None and quality.curve:
        chart = partial(gain_chart, t, quality, currency=currency)
        gains = _drawn("quality.curve", chart, undrawn)
    return _Drawings(slider=budgets, quality=calibration, gains=gains, undrawn=undrawn)


def _drawn(title: str, draw: Callable[[], Drawing], undrawn: list[Note]) -> Drawing | None:
    """Return a drawing; None where its numbers cannot be drawn, which the page then says.

    A picture explains a plan; one that cannot be made is no reason to have no plan.
    """
    try:
        return draw()
    except (ArithmeticError, ValueError) as error:
        text = say("notes.undrawn", title=say(title), error=str(error))
        undrawn.append(Note(message=text, warning=True))
        return None


def _label(t: Language, row: GroupRow) -> str:
    if row.joined:
        return t("groups.joined", count=t.count(row.joined))
    return t("groups.missing") if row.label is None else row.label


def _range(t: Language, row: BenefitRow) -> str:
    """Return the name of a group that benefits: a value, or a range of numbers."""
    if row.label is not None:
        return row.label
    if row.low is None or row.high is None:
        return t("groups.missing")
    low, high = (t.significant(end, trimmed=True) for end in (row.low, row.high))
    return t("fairness.range", low=low, high=high)


def _used(content: ReportContent) -> float | None:
    """Return the share of the pool that its own basis has used up."""
    budget = content.budget
    used = budget.spent_face if budget.basis == "face" else budget.spent
    return used / budget.amount if budget.amount else None


def _strip(headline: Headline) -> Strip | None:
    estimate = headline.profit or headline.conversions
    if estimate is None or not estimate.has_interval:
        return None
    left, right = min(0.0, estimate.low), max(0.0, estimate.high)
    if right <= left:
        return None

    def place(value: float) -> float:
        return round(1 + 98 * (value - left) / (right - left), 2)

    return Strip(
        zero=place(0.0),
        low=place(estimate.low),
        width=round(place(estimate.high) - place(estimate.low), 2),
        value=place(estimate.value),
    )


def limit_lines(
    t: Language, limits: Iterable[LimitRow], *, currency: str, proof: Proof
) -> list[LimitLine]:
    """Return the limits: the budget, those that bind, the others, those only measured.

    Parameters
    ----------
    currency
        As the language calls it.
    """

    def rank(limit: LimitRow) -> int:
        if limit.report_only:
            return 2
        return 0 if limit.name == "budget" else 1 if limit.price else 3

    return [
        LimitLine(
            limit=limit,
            title=words.limit_title(t, limit.name),
            scope=words.scope(t, limit.scope),
            bound=words.bound(t, limit),
            usage=words.amount(t, limit.usage, limit),
            slack=words.room(t, limit),
            share=_share(limit),
            meaning=words.meaning(t, limit, currency=currency, proof=proof),
            binds=bool(limit.price) and not limit.report_only,
            exceeded=limit.slack is not None and limit.slack < 0,
        )
        for limit in sorted(limits, key=rank)
    ]


def _share(limit: LimitRow) -> float | None:
    if limit.usage is None or not limit.at_most or limit.unit in {"ratio", "share"}:
        return None
    return max(limit.usage, 0.0) / limit.at_most


def _loyalty(t: Language, check: LoyaltyCheck | None, currency: str) -> tuple[str, str] | None:
    """Return the kind of verdict, for its colour, and the sentence."""
    if check is None:
        return None
    if not check.compared:
        return "same", t("fairness.none")
    better = check.difference.low > 0
    kind = "worse" if check.worse_off else "better" if better else "same"
    equal = [t("fairness.offers")] if check.same_offers else []
    equal += [t("fairness.same", column=column) for column in check.equal]
    sentence = t(
        f"fairness.loyal_{kind}",
        column=check.column,
        equal=t.listed(tuple(equal)) or t("fairness.alone"),
        loyal=check.member or t("fairness.top", column=check.column),
        others=t("fairness.others" if check.member else "fairness.bottom", column=check.column),
        difference=t.number(abs(check.difference.value), 2),
        currency=currency,
        interval=words.interval(t, check.difference, lambda end: t.number(end, 2)),
    )
    gap = "" if t.code == "zh" else " "
    return kind, f"{sentence}{gap}{t('fairness.compared', share=t.percent(check.compared))}"
