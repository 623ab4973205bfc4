"""Whether users come as they were forecast."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from incentive_engine.language import say
from incentive_engine.live.watch.evidence import LESS, MORE, of_amounts
from incentive_engine.live.watch.look import Found, Look, clock


def traffic(look: Look) -> Iterator[Found]:
    """Yield that traffic is short of its forecast, or above it."""
    if look.expected.forecast is None:
        return
    for kind, factors, margin in (
        ("traffic_short", LESS, 1 - look.params.traffic),
        ("traffic_above", MORE, 1 + look.params.traffic),
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
