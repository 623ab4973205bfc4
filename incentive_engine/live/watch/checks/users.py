"""Whether users come as they were forecast, who asks far too often, and offers in the holdout."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from scipy.special import pdtrc

from incentive_engine.language import say
from incentive_engine.live.watch.evidence import of_amounts, of_total
from incentive_engine.live.watch.look import Found, Look, clock


def traffic(look: Look) -> Iterator[Found]:
    """Yield that traffic is short of its forecast, or above it."""
    if look.expected.forecast is None:
        return
    for kind, factors, margin in (
        ("traffic_short", look.params.less, 1 - look.params.traffic),
        ("traffic_above", look.params.more, 1 + look.params.traffic),
    ):
        time = look.timeline(look.begin(kind), look.now)
        if time is None:
            continue
        came = time.sums(look.came)
        planned = np.diff(time.share) * look.expected.users
        evidence = of_amounts(came, planned * margin, factors=factors, starts=time.starts)
        crossed = evidence.crossed(look.params.of_test)
        if crossed is None or evidence.start >= time.steps:  # it was so, and is no more
            continue
        since = slice(evidence.start, None)
        ratio = float(came[since].sum() / planned[since].sum())
        values: dict[str, str | int] = {
            "begin": clock(int(time.edges[evidence.start]), look.expected.zone),
            "came": int(came[since].sum()),
            "forecast": round(float(planned[since].sum())),
        }
        yield Found(
            kind=kind,
            subject=None,
            severity="error" if abs(ratio - 1) > 0.5 else "warning",
            figures={**values, "ratio": ratio},
            text=say(f"watch.{kind}", off=ratio - 1, **values),
            since=int(time.edges[crossed]),
            ratio=ratio,
        )


def users(look: Look) -> Iterator[Found]:
    """Yield who asks too often, and that the holdout leaks."""
    yield from _too_often(look)
    yield from _keys(look)
    yield from _leaks(look)


def _too_often(look: Look) -> Iterator[Found]:
    """Yield users whose requests are more than chance makes of anybody.

    Requests of a user only grow, so that looking often adds nothing to the error; it is shared
    among all users.
    """
    least = threshold(look.params.visits, look.params.of_test / max(len(look.expected.held), 1))
    often = [(user, count) for user, count in look.observed.asked if count >= least]
    # users who are named; more are counted
    most = 10
    for user, count in often[:most]:
        name = f"asks_too_often:{user}"
        if any(user in action.change for action in look.observed.actions if action.key == name):
            continue  # he is blocked already
        figures: dict[str, str | int | float] = {
            "user": user,
            "requests": count,
            "usual": look.params.visits,
        }
        others, text = len(often) - most, say("watch.asks_too_often", **figures)
        yield Found(
            kind="asks_too_often",
            subject=user,
            severity="warning",
            figures=figures,
            text=text if others <= 0 else say("watch.and_others", text=text, others=others),
        )


def _keys(look: Look) -> Iterator[Found]:
    """Yield keys that ask more than all users who came would, each as often as a user does."""
    came = len(look.came)
    error = look.params.of_test / max(len(look.requests), 1)
    for key, count in look.requests.items():
        if of_total(count, look.params.visits * (came + 1), factors=look.params.more) < -math.log(
            error
        ):
            continue
        figures: dict[str, str | int | float] = {"asks": key, "requests": count, "users": came}
        yield Found(
            kind="key_asks_too_often",
            subject=key,
            severity="warning",
            figures=figures,
            text=say("watch.key_asks_too_often", **figures),
        )


def threshold(mean: float, error: float) -> int:
    """Return how many requests a user makes with less than the chance `error`, of Poisson's law.

    >>> threshold(5.0, 1e-6)
    20
    """
    counts = np.arange(1, 10_000)
    return int(counts[pdtrc(counts - 1, mean) <= error][0])


def _leaks(look: Look) -> Iterator[Found]:
    """Yield that users of the holdout got offers: one is enough."""
    seen, holdout = look.observed, look.expected.held
    in_run = seen.row >= 0
    got = in_run & (seen.offer >= 0) & holdout[np.maximum(seen.row, 0)]
    reached = np.zeros(len(holdout), dtype=np.bool_)
    reached[seen.row[got]] = True
    redeemed = np.zeros(len(holdout), dtype=np.bool_)
    redeemed[seen.row[got & (seen.amount > 0)]] = True
    did = look.outcomes
    if did is not None and did.offer is not None:
        reached |= holdout & (did.offer >= 0)
    if did is not None and did.cost is not None:
        redeemed |= holdout & (did.cost > 0)
    count = int((reached | redeemed).sum())
    if not count:
        return
    values = {"users": count, "held": int(holdout.sum()), "redeemed": int(redeemed.sum())}
    first = seen.decided[got]
    yield Found(
        kind="holdout_leaking",
        subject=None,
        severity="error",
        figures=values,
        text=say("watch.holdout_leaking", **values),
        since=int(first[0]) if len(first) else None,
    )
