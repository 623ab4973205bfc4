"""How often a budget at risk is passed by what is really redeemed: simulated campaigns.

    python benchmarks/live_risk.py

Demand never ends, so that the pool is refilled with all that comes back: a campaign of ten holds,
offers of one face value, redeemed with probability p at a random moment of the hold. `amount` is
in face values. Stated: 5 % of the campaigns pass the amount.
"""

from __future__ import annotations

import heapq
import random
from statistics import NormalDist

from incentive_engine.live.ledger.records import RiskMargin

RUNS, CONFIDENCE, HOLDS, DEMAND = 300, 0.95, 10, 4
FACE = 1_000_000


def campaign(rng: random.Random, *, amount: int, chance: float, risk: RiskMargin) -> float:
    """Return what was redeemed, as a share of the amount."""
    cost = round(chance * FACE)
    each = cost * (FACE - cost)
    settled = expected = variance = 0
    open_offers: list[tuple[float, bool]] = []
    arrivals = round(amount / chance * DEMAND)
    for arrival in range(arrivals):
        now = arrival * HOLDS / arrivals
        while open_offers and open_offers[0][0] <= now:
            _, is_redeemed = heapq.heappop(open_offers)
            expected, variance = expected - cost, variance - each
            settled += FACE * is_redeemed
        margin = risk.margin(expected=expected + cost, variance=variance + each)
        if settled + expected + cost + margin <= amount * FACE:
            expected, variance = expected + cost, variance + each
            is_redeemed = rng.random() < chance
            until = now + (rng.random() if is_redeemed else 1.0)
            heapq.heappush(open_offers, (until, is_redeemed))
    settled += FACE * sum(is_redeemed for _, is_redeemed in open_offers)
    return settled / (amount * FACE)


def main() -> None:
    z = round(NormalDist().inv_cdf(CONFIDENCE) * 1e6)
    print("chance  amount  cost error   passed   mean share   largest share")
    for chance in (0.05, 0.2, 0.5):
        for amount in (50, 300):
            for error in (0, 50_000):
                risk = RiskMargin(z_ppm=z, error_ppm=error, face=FACE)
                rng = random.Random(1)  # noqa: S311 - a simulation
                shares = [
                    campaign(rng, amount=amount, chance=chance, risk=risk) for _ in range(RUNS)
                ]
                passed = sum(share > 1 for share in shares) / RUNS
                mean, most = sum(shares) / RUNS, max(shares)
                row = f"{chance:6.2f} {amount:7} {error / 1e6:11.2f}"
                print(f"{row} {passed:8.1%} {mean:12.4f} {most:15.4f}")


if __name__ == "__main__":
    main()
