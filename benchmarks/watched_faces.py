"""Whether the watch warns of days whose budget is held at face value, when, and of what.

    python benchmarks/watched_faces.py [--users 12000] [--seeds 5]

Half of a run's users come in a day of virtual time; each is decided on as `serve` does, through a
ledger, and the watch looks every half hour. Offers are held for a quarter of an hour or two hours
and redeemed at a random moment of that, or run out. On the days that go to plan prices are solved
anew every 15 minutes; on the others they stay those of the beginning, and more users come or more
is redeemed than was forecast. `full`: the hour by which what is held and what is spent first come
to 97 % of the budget; `dry`: what is spent alone. Each finding with the hour of its first look.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from incentive_engine.domain import MICROS
from incentive_engine.workflow.results.watch_campaign import RunningCampaign
from live.watch.worlds import World, of_faces

MINUTE = 60 * MICROS
EVER = 10**6 * MINUTE
NEARLY = 0.97


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of days: how long offers are held, and what departs from the plan; from when on."""

    name: str
    hold: int
    every: int = EVER
    volume: float = 1.0
    begin: float = 0.0
    redeemed: dict[str, float] = field(default_factory=dict)


KINDS = (
    Kind(name="15 min, to plan", hold=15 * MINUTE, every=15 * MINUTE),
    Kind(name="2 h, to plan", hold=120 * MINUTE, every=15 * MINUTE),
    Kind(name="15 min, redeemed x 1.4", hold=15 * MINUTE, redeemed={"a": 1.4, "b": 1.4}),
    Kind(name="15 min, traffic x 1.6", hold=15 * MINUTE, volume=1.6, begin=0.3),
    Kind(name="2 h, redeemed x 2", hold=120 * MINUTE, redeemed={"a": 2.0, "b": 2.0}),
    Kind(name="2 h, traffic x 1.6", hold=120 * MINUTE, volume=1.6, begin=0.3),
)


def hours(run: Path, ledger: Path, kind: Kind, seed: int) -> dict[str, float]:
    """Return by what happened on a day, and by finding, the hour at which it was first seen."""
    world = World(
        run=run,
        ledger=ledger,
        seed=seed,
        hold=kind.hold,
        every=kind.every,
        volume=kind.volume,
        begin=kind.begin,
        redeemed=kind.redeemed,
    )
    running = RunningCampaign(run_dir=run, ledger=str(ledger))
    first: dict[str, float] = {}
    for half in range(1, 48):
        world.play(world.forecast.share(world.forecast.start + half * 30 * MINUTE))
        seen = running.look(world.now)
        (budget,) = seen.observed.pool
        nearly = NEARLY * (budget.at_most or 0)
        names = [finding.key for finding in seen.findings if finding.severity != "info"]
        names += ["full"] * (budget.reserved + budget.settled >= nearly)
        names += ["dry"] * (budget.settled >= nearly)
        for name in names:
            first.setdefault(name, half / 2)
    return first


def main() -> None:
    """Print a line for each day."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=12_000)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = of_faces(Path(folder) / "run", options.users)
        for kind in KINDS:
            for seed in range(options.seeds):
                ledger = Path(folder) / f"{kind.name} {seed}.ledger"
                found = hours(run, ledger, kind, seed)
                print(f"{kind.name:24} {seed}  {found}", flush=True)


if __name__ == "__main__":
    main()
