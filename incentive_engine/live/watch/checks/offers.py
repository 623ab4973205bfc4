"""Whether offers are redeemed as forecast, and whether anybody takes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from incentive_engine.domain import FloatArray, IntArray
from incentive_engine.language import Value, say
from incentive_engine.live.ledger.records import State
from incentive_engine.live.watch.evidence import of_shares
from incentive_engine.live.watch.look import Found, Look


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Taken:
    """What came of an offer, of those whose hold is over.

    Attributes
    ----------
    at : (d,) int64
        When they were decided on, in order.
    share, forecast : (d,) float64
        The part of the face value that was redeemed, and that was expected.
    """

    SURE: ClassVar[float] = 0.999
    """The largest forecast of a redemption that a bet can be made against."""

    at: IntArray
    share: FloatArray
    forecast: FloatArray

    def since(self, begin: int) -> Taken:
        """Return those that were decided on from a moment on."""
        late = self.at >= begin
        return Taken(at=self.at[late], share=self.share[late], forecast=self.forecast[late])

    @property
    def ratio(self) -> float:
        """What was redeemed over what was expected."""
        return float(self.share.sum() / self.forecast.sum())


class SequentialTest(NamedTuple):
    """Which departure is looked for: the bets, and the margin that is no news."""

    kind: str
    factors: tuple[float, ...]
    margin: float


def offers(look: Look) -> Iterator[Found]:
    """Yield which offers are redeemed otherwise than forecast."""
    margin = look.params.redemption
    tests = (
        SequentialTest("redemption_above", look.params.more, 1 + margin),
        SequentialTest("redemption_below", look.params.less, 1 - margin),
    )
    # bets on an offer that nobody takes, relative to the share below which that is said
    barely = (0.5, 0.25, 0.02)
    for place in range(len(look.expected.offers)):
        untaken = _one(look, place, SequentialTest("untaken", barely, look.params.untaken))
        if untaken is not None:
            yield untaken
            continue
        for test in tests:
            finding = _one(look, place, test)
            if finding is not None:
                yield finding


def _one(look: Look, place: int, test: SequentialTest) -> Found | None:
    offer = look.expected.offers[place]
    begin = look.begin(f"{test.kind}:{offer}")
    taken = _taken(look, place, begin)
    time = look.timeline(begin, look.now)
    if time is None or not len(taken.at):
        return None
    evidence = of_shares(
        taken.share,
        np.minimum(taken.forecast * test.margin, Taken.SURE),
        time.step_of(taken.at),
        factors=test.factors,
        starts=max(time.starts, time.steps),
    )
    crossed = evidence.crossed(look.params.of_test / len(look.expected.offers))
    taken = taken.since(int(time.edges[min(evidence.start, time.steps)]))
    if crossed is None or not len(taken.at):  # it was so, and is no more
        return None
    off, count = taken.ratio - 1, len(taken.at)
    return Found(
        kind=test.kind,
        subject=offer,
        severity="error" if test.kind == "untaken" or abs(off) > 0.5 else "warning",
        figures={
            "offers": count,
            "ratio": taken.ratio,
            "forecast": float(taken.forecast.mean()),
            "redeemed": float(taken.share.mean()),
        },
        text=say(f"watch.{test.kind}", **_words(test, offer, count, off)),
        since=int(time.edges[min(crossed, time.steps)]),
        ratio=taken.ratio,
    )


def _words(test: SequentialTest, offer: str, count: int, off: float) -> dict[str, Value]:
    ratio = {"ratio": 1 + off} if test.kind == "untaken" else {"off": off}
    return {"offer": offer, "offers": count, **ratio}


def _taken(look: Look, place: int, begin: int) -> Taken:
    """Return what came of an offer since a moment, of those whose end is known to be due.

    Whoever takes an offer takes it before the hold is over, and whoever does not is known later:
    so all wait for the end of the hold, or counting would begin with those who take it. What the
    shop itself cancelled says nothing of users.
    """
    seen = look.observed
    mine = (seen.offer == place) & ~seen.is_state(State.CANCELLED) & (seen.decided >= begin)
    mine &= seen.expires <= look.now
    if look.hold is not None:
        mine &= seen.decided <= look.now - look.hold
    face = np.maximum(seen.face[mine], 1)
    return Taken(
        at=seen.decided[mine],
        share=np.minimum(seen.amount[mine] / face, 1.0),
        forecast=np.clip(seen.cost[mine] / face, 1e-6, Taken.SURE),
    )
