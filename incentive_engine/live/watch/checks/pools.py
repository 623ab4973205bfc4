"""Whether the pool lasts: caps that run dry before the end, floors that are behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from incentive_engine.domain import MICROS, FloatArray, IntArray
from incentive_engine.language import say
from incentive_engine.live.amounts import decimal_text
from incentive_engine.live.ledger.commands import Standing
from incentive_engine.live.ledger.records import State
from incentive_engine.live.watch.evidence import Sizes, of_amounts
from incentive_engine.live.watch.finding import Severity
from incentive_engine.live.watch.look import Found, Look, Timeline, clock


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Flow:
    """What offers took of one limit.

    Attributes
    ----------
    at : (c,) int64
        When they were decided on.
    amount : (c,) float64
        What they took for good: currency units, another measure's unit, or issued offers.
    until
        Offers decided on later are left out: what they take for good is not known yet.
    sizes
        What single offers take by the plan, same unit.
    is_floor
        Whether it is looked at for a floor, not for a cap.
    """

    at: IntArray
    amount: FloatArray
    until: int
    sizes: Sizes
    is_floor: bool


def pools(look: Look) -> Iterator[Found]:
    """Yield what is to be known of every limit."""
    for place, standing in enumerate(look.observed.pool):
        if standing.at_most is not None:
            yield from _cap(look, place, standing)
        if standing.at_least is not None and look.expected.forecast is not None:
            yield from _floor(look, place, standing)


def _cap(look: Look, place: int, standing: Standing) -> Iterator[Found]:
    most = standing.at_most or 0
    used = standing.reserved + standing.margin + standing.settled
    if used > most:
        amounts = {"used": used, "at_most": most}
        is_little = used <= most * (1 + look.params.overdrawn)
        severity: Severity = "info" if is_little else "error"
        text = say("watch.overdrawn", limit=standing.name, **_spoken(standing, amounts))
        yield Found(
            kind="overdrawn",
            subject=standing.name,
            severity=severity,
            figures=_written(standing, amounts),
            text=text,
        )
        return
    finding = _runs_dry(look, place, standing)
    nearly, kept = look.params.nearly, look.kept(standing)
    if finding is not None:
        yield finding
    elif kept >= nearly * most > 0 and look.share(look.now) < nearly:
        amounts = {"used": kept, "at_most": most}
        text = say("watch.nearly_used_up", limit=standing.name, **_spoken(standing, amounts))
        yield Found(
            kind="nearly_used_up",
            subject=standing.name,
            severity="warning",
            figures=_written(standing, amounts),
            text=text,
        )


def _runs_dry(look: Look, place: int, standing: Standing) -> Found | None:
    name = f"runs_dry:{standing.name}"
    flow = _flow(look, place, is_floor=False)
    time = look.timeline(look.begin(name, steered=True), flow.until)
    if time is None or look.expected.forecast is None:
        return None
    unit = 1 if standing.is_count else MICROS
    most = (standing.at_most or 0) / unit
    before = float(flow.amount[flow.at < time.edges[0]].sum())
    planned = _pace(time, max(most - before, 0.0)) * (1 + look.params.pool)
    departed = _departed(look, flow, time, planned)
    if departed is None:
        return None
    used = look.kept(standing) / unit
    rate = _rate(time, time.sums(flow.at, flow.amount), departed.start)
    here = look.share(look.now)
    dry = here + max(most - used, 0.0) / rate if rate > 0 else 1.0
    if dry >= 1:
        return None
    at = look.expected.forecast.moment(dry)
    amounts = {"used": round(used * unit), "at_most": standing.at_most or 0}
    when: dict[str, str | float] = {"at": clock(at, look.expected.zone), "traffic_left": 1 - dry}
    return Found(
        kind="runs_dry",
        subject=standing.name,
        severity="error" if 1 - dry > 0.1 else "warning",
        figures={**_written(standing, amounts), **when},
        text=say("watch.runs_dry", limit=standing.name, **_spoken(standing, amounts), **when),
        since=departed.since,
        ratio=(used + rate * (1 - here)) / most if most else None,
    )


def _floor(look: Look, place: int, standing: Standing) -> Iterator[Found]:
    name = f"floor_behind:{standing.name}"
    flow = _flow(look, place, is_floor=True)
    time = look.timeline(look.begin(name, steered=True), flow.until)
    if time is None:
        return
    unit = 1 if standing.is_count else MICROS
    least = (standing.at_least or 0) / unit
    before = float(flow.amount[flow.at < time.edges[0]].sum())
    planned = _pace(time, max(least - before, 0.0)) * (1 - look.params.floor)
    departed = _departed(look, flow, time, planned)
    if departed is None:
        return
    so_far = float(flow.amount[flow.at <= flow.until].sum())
    rate = _rate(time, time.sums(flow.at, flow.amount), departed.start)
    end = so_far + rate * (1 - time.share[-1])
    if end >= least * (1 - look.params.floor):
        return
    amounts = {
        "used": round(so_far * unit),
        "at_least": standing.at_least or 0,
        "expected_at_end": round(end * unit),
    }
    yield Found(
        kind="floor_behind",
        subject=standing.name,
        severity="error" if end < 0.5 * least else "warning",
        figures=_written(standing, amounts),
        text=say("watch.floor_behind", limit=standing.name, **_spoken(standing, amounts)),
        since=departed.since,
        ratio=end / least,
    )


class Departure(NamedTuple):
    """Since when there is evidence enough, and the step in which the departure began."""

    since: int
    start: int


def _departed(look: Look, flow: Flow, time: Timeline, planned: FloatArray) -> Departure | None:
    """Return when more, or less, began to be taken; None where nothing speaks for it now."""
    evidence = of_amounts(
        time.sums(flow.at, flow.amount),
        planned,
        factors=look.params.less if flow.is_floor else look.params.more,
        starts=time.starts,
        sizes=flow.sizes,
    )
    kinds = sum(
        (limit.at_least if flow.is_floor else limit.at_most) is not None
        for limit in look.observed.pool
    )
    crossed = evidence.crossed(look.params.of_test / max(kinds, 1))
    if crossed is None or evidence.start >= time.steps:
        return None
    return Departure(since=int(time.edges[crossed]), start=evidence.start)


def _flow(look: Look, place: int, *, is_floor: bool) -> Flow:
    """Return what offers took of a limit for good.

    Notes
    -----
    An open reservation counts its expected cost, a redeemed one its amount, and redemption comes
    before the end of the hold: offers of the last minutes look dearer than they are. So only those
    whose hold is over count, or, where it is too long to wait for, all as expected: faces that
    come back by what they cost. For a floor on issued offers every one counts that was given out,
    redeemed or not.
    """
    seen, terms = look.observed, look.expected.limits[place]
    mine = seen.claim_limit == place
    of, claim = seen.claim_of[mine], seen.claim[mine].astype(np.float64)
    unit = 1 if terms.is_count else MICROS
    is_gross = is_floor and terms.is_count
    sizes = look.expected.sizes[place]
    at, until = seen.decided[of], look.now
    if is_gross or look.hold is None:
        cancelled = seen.is_state(State.CANCELLED)[of]
        stays = 1.0 if is_gross else look.stays(terms.name)
        amount = np.where(cancelled & (not is_gross), 0.0, stays * claim) / unit
        sizes = Sizes(size=stays * sizes.size, chance=sizes.chance)
    else:
        until -= look.hold
        paid = seen.amount[of].astype(np.float64) if terms.settles_amount else claim
        redeemed = np.where(seen.is_state(State.REDEEMED)[of], paid, 0.0) / unit
        over = at <= until
        at, amount = at[over], redeemed[over]
        sizes = sizes if not terms.settles_amount else look.expected.paid[place]
    return Flow(at=at, amount=amount, until=until, sizes=sizes, is_floor=is_floor)


def _pace(time: Timeline, left: float) -> FloatArray:
    """Return (b,) what may be taken in each step, so that what is left lasts to the end."""
    to_come = 1 - time.share[0]
    return np.diff(time.share) * (left / to_come if to_come > 0 else 0.0)


def _rate(time: Timeline, came: FloatArray, start: int) -> float:
    """Return how much is taken per unit of the forecast's share, from a step on."""
    share = float(time.share[-1] - time.share[start])
    return float(came[start:].sum()) / share if share > 0 else 0.0


def _written(standing: Standing, amounts: Mapping[str, int]) -> dict[str, str]:
    """Return counts, or micros, exactly, for programs."""
    text: Callable[[int], str] = str if standing.is_count else decimal_text
    return {name: text(amount) for name, amount in amounts.items()}


def _spoken(standing: Standing, amounts: Mapping[str, int]) -> dict[str, str]:
    """Return counts, or micros, as people read them."""
    if standing.is_count:
        return {name: f"{amount:,}" for name, amount in amounts.items()}
    return {name: f"{amount / MICROS:,.2f}" for name, amount in amounts.items()}
