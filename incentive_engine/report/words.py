"""Sentences of the page, put together from the catalogue: what a price or an interval means."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from incentive_engine.language import Language, places
from incentive_engine.language.wording import named
from incentive_engine.stats.estimate import Estimate

from .conditions import ColumnTest, Scope
from .content import BudgetUse, Favoured, Headline, LimitRow, Proof, StatedObjective
from .evidence import Exploring, ExploringPower, Holdout, Watched


def aim(t: Language, stated: StatedObjective) -> str:
    """Return what is maximised, such as ``weighted conversions``."""
    terms = [
        name if coefficient == 1 else f"{coefficient:g} × {name}"
        for name, coefficient in ((measure(t, m), c) for m, c in stated.terms)
    ]
    joined = " + ".join(terms)
    return t("measure.weighted", terms=joined) if stated.weighted else joined


def measure(t: Language, name: str) -> str:
    """Return a measure's name; one that planners have added keeps its own."""
    return t.say(named("measure", name))


def proven(t: Language, proof: Proof) -> str:
    """Return the sentence on feasibility and gap."""
    if not proof.feasible:
        return t("verdict.broken")
    room, what = proof.bound - proof.value, aim(t, proof.aim)
    if room <= 0 or _is_none(proof.gap):
        return t("verdict.best", value=t.number(proof.value), aim=what)
    near = t("verdict.near", gap=t.bound_percent(proof.gap), value=t.number(proof.value), aim=what)
    return near + _searched(t, proof)


def _is_none(gap: float) -> bool:
    """Return whether a gap is float64's own rounding, and reads as none."""
    return gap < 1e-12


def _searched(t: Language, proof: Proof) -> str:
    """Return what the integer solver's own bound says, where that is much nearer."""
    # the part of the proven gap that the integer solver's own gap is at most where it is told
    telling = 0.5
    # a gap that nobody would act on needs no second account
    small = 1e-4
    if proof.searched is None or proof.gap <= small or proof.searched > telling * proof.gap:
        return ""
    if _is_none(proof.searched):
        return t("verdict.searched_best")
    return t("verdict.searched_near", gap=t.bound_percent(proof.searched))


def limit_title(t: Language, name: str) -> str:
    """Return what a limit is called: as the policy does, and the budget as the page does."""
    return t("limits.budget") if name == "budget" else name


def subtitle(t: Language, budget: BudgetUse, *, currency: str, users: int) -> str:
    """Return the budget, what it means, and how many users there are."""
    pool = t("page.no_budget")
    if budget.amount is not None:
        pool = t(
            "page.budget",
            currency=currency,
            amount=t.brief(budget.amount),
            basis=t(f"basis.{budget.basis}"),
        )
    return f"{pool} · {t('page.users', count=t.count(users))}"


def evidence(t: Language, headline: Headline) -> str:
    """Return what the headline's figures stand on."""
    if not headline.treated:
        return t("headline.nobody")
    if headline.conversions is None:
        return t("headline.evidence_none")
    return t(
        "headline.evidence",
        rows=t.count(headline.trial_rows),
        sum=t.number(headline.conversions_by_scores),
    )


def favouring(t: Language, favoured: Favoured) -> str:
    """Return what favouring a group costs the whole."""
    even = favoured.conversions_unweighted
    if even is None:
        return ""
    lost = even - favoured.conversions
    if lost <= 0:
        return t("favoured.free")
    return t(
        "favoured.costs",
        even=t.number(even),
        plan=t.number(favoured.conversions),
        lost=t.number(lost),
        share=t.percent(lost / even),
    )


def interval(
    t: Language, estimate: Estimate | None, show: Callable[[float | None], str] | None = None
) -> str:
    """Return an estimate's interval, nothing where it has none.

    Parameters
    ----------
    show
        How its ends read; left out, as numbers with as many digits as the estimate.
    """
    if estimate is None or not estimate.has_interval:
        return ""
    ends = (estimate.low, estimate.high)
    low, high = (show(end) if show else t.number(end, _places(estimate)) for end in ends)
    return t("headline.interval", low=low, high=high)


def centre(t: Language, estimate: Estimate | None) -> str:
    """Return an estimate, with as many digits as its interval."""
    return t.number(None) if estimate is None else t.number(estimate.value, _places(estimate))


def _places(estimate: Estimate) -> int:
    ends = (estimate.low, estimate.high) if estimate.has_interval else ()
    return places(estimate.value, *ends)


def bound(t: Language, limit: LimitRow) -> str:
    """Return what a limit demands.

    >>> from incentive_engine.language import language
    >>> limit = LimitRow(name="x", unit="count", at_most=5.0, at_least=2.0, usage=3.0, slack=1.0)
    >>> bound(language("en"), limit)
    '2 to 5'
    """
    low = None if limit.at_least is None else amount(t, limit.at_least, limit)
    high = None if limit.at_most is None else amount(t, limit.at_most, limit)
    if low is not None and high is not None:
        return t("limits.between", low=low, high=high)
    return t("limits.at_most", high=high) if high is not None else t("limits.at_least", low=low)


def amount(t: Language, value: float | None, limit: LimitRow) -> str:
    """Return a figure of a limit in its unit."""
    if limit.unit == "money":
        return t.money(value)
    if limit.unit == "share":
        return t.percent(value, 2)
    if limit.unit == "count" and value is not None and float(value).is_integer():
        return t.number(value, 0)
    return t.number(value, 3 if limit.unit == "ratio" else None)


def room(t: Language, limit: LimitRow) -> str:
    """Return what is left to the nearer bound; of a ratio in the ratio's own terms.

    >>> from incentive_engine.language import language
    >>> roi = LimitRow(name="x", unit="ratio", at_most=None, at_least=1.5, usage=2.0, slack=90.0)
    >>> room(language("en"), roi)
    '0.500'
    """
    if limit.unit not in {"ratio", "share"}:
        return amount(t, limit.slack, limit)
    if limit.usage is None:
        return amount(t, None, limit)
    rooms = [] if limit.at_most is None else [limit.at_most - limit.usage]
    rooms += [] if limit.at_least is None else [limit.usage - limit.at_least]
    return amount(t, min(rooms), limit)


def meaning(t: Language, limit: LimitRow, *, currency: str, proof: Proof) -> str:
    """Return what a limit's price says, and what dropping the limit would bring."""
    if limit.report_only:
        exceeded = limit.slack is not None and limit.slack < 0
        return t("limits.exceeded" if exceeded else "limits.measured")
    if not limit.price:
        return t("limits.nothing")
    size = {"money": 1_000, "count": 100, "ratio": 1_000, "share": 1_000, "number": 1}[limit.unit]
    gain = t.significant(abs(limit.price) * size)
    kind = "ratio" if limit.unit in {"ratio", "share"} else "more" if limit.price > 0 else "floor"
    sentence = t(
        f"limits.{kind}",
        step=t(f"limits.{limit.unit}_step", currency=currency),
        gain=t("limits.gain", amount=gain, aim=aim(t, proof.aim)),
    )
    if limit.dropped is None:
        return sentence
    share = limit.dropped / proof.value if proof.value > 0 else 0.0
    added = t.significant(limit.dropped)
    return sentence + t("limits.dropped", amount=added, share=t.tiny_percent(share))


def held(t: Language, stated: Holdout, proof: Proof) -> tuple[str, ...]:
    """Return what a holdout costs, and what it buys where that is known."""
    who = t("held.who", users=t.count(stated.users), share=t.percent(stated.share))
    costs = who if stated.given_up is None else who + _given_up(t, stated.given_up, proof)
    if stated.buys is None:
        return (costs,)
    precision, expected, detectable = (
        t.significant(1_000 * rate)
        for rate in (stated.buys.precision, stated.buys.expected, stated.buys.detectable)
    )
    buys = t(
        "held.buys",
        precision=precision,
        expected=expected,
        power=t.percent(stated.buys.power, 0),
        detectable=detectable,
    )
    return (costs, buys) if stated.watched is None else (costs, buys, _watched(t, stated.watched))


def _watched(t: Language, told: Watched) -> str:
    """Return what a running campaign's outcomes tell of a gain that falls short, and when."""

    def noticed(what: str, share: float | None, at: str) -> str:
        if share is None:
            return t(f"held.{what}_never")
        when = t("held.when", at=at) if at else ""
        return t(f"held.{what}", share=t.percent(share, 0), when=when)

    if told.nothing is None:
        return t("held.watched_never")
    return t(
        "held.watched",
        nothing=noticed("nothing", told.nothing, told.nothing_at),
        half=noticed("half", told.half, told.half_at),
    ) + ("" if told.least is None else t("held.least", least=t.percent(told.least, 0)))


def exploring(t: Language, stated: Exploring, proof: Proof) -> tuple[str, ...]:
    """Return what exploring costs, what it shows, and which share is proposed by which rule."""
    parts = {"dearest": stated.dearest}
    if stated.sight is not None:
        parts |= {"proposed": stated.sight.proposed, "enough": stated.sight.enough}
    proposal = {name: t.percent(share) for name, share in parts.items()}
    if not stated.users:
        told = () if stated.sight is None else (_proposed(t, stated.sight, proposal),)
        return (t("exploring.nobody"), *told)
    who = t("exploring.who", users=t.count(stated.users), share=t.percent(stated.share))
    if stated.given_up is not None:
        who += t(
            "exploring.costs",
            value=t.significant(stated.given_up),
            aim=aim(t, proof.aim),
            part=t.percent(stated.given_up / proof.value if proof.value > 0 else 0.0),
        )
    sight = stated.sight
    if sight is None:
        return (who,)
    rates = {
        name: t.significant(1_000 * rate)
        for name, rate in (("detectable", sight.detectable), ("expected", sight.expected))
    }
    rows, power = t.count(round(sight.offer_rows)), t.percent(sight.power, 0)
    buys = t("exploring.buys", rows=rows, power=power, **rates)
    return who, buys, _proposed(t, sight, proposal)


def _proposed(t: Language, sight: ExploringPower, said: Mapping[str, str]) -> str:
    """Return which share is proposed, and by which rule."""
    rule = "exploring.proposed" if sight.proposed >= sight.enough else "exploring.capped"
    return t(rule, **said)


def _given_up(t: Language, most: float, proof: Proof) -> str:
    return t(
        "held.costs",
        value=t.significant(most),
        aim=aim(t, proof.aim),
        part=t.percent(most / proof.value if proof.value > 0 else 0.0),
    )


def step(t: Language, name: str) -> str:
    """Return what a step of a run is called; one that the catalogue lacks keeps its name."""
    return t.say(named("steps", name.replace(" ", "_")))


def scope(t: Language, stated: Scope) -> str:
    """Return what a limit sums over whom, such as ``cost where tier is 88VIP``."""
    if not stated.measures:
        return ""
    names = [measure(t, name) for name in stated.measures]
    words = names[0]
    if len(names) == 2:
        words = t("measure.ratio", numerator=names[0], denominator=names[1])
    if stated.offers:
        words = t("scope.of", what=words, offers=t.listed(stated.offers))
    if stated.tests:
        words = t("scope.where", what=words, tests=conditions(t, stated.tests))
    return words


def conditions(t: Language, tests: tuple[ColumnTest, ...]) -> str:
    """Return what users must have."""
    return t("scope.and").join(_condition(t, test) for test in tests)


def _condition(t: Language, test: ColumnTest) -> str:
    if test.values:
        return t("scope.test", column=test.column, values=t("scope.or").join(test.values))
    low = "" if test.at_least is None else f"{test.at_least:g}"
    high = "" if test.below is None else f"{test.below:g}"
    kind = "both" if low and high else "at_least" if low else "below"
    return t(f"scope.{kind}", column=test.column, low=low, high=high)
