"""How much more often an event happens in one campaign than in all together.

A trial of several campaigns knows each row's features, but what moved everybody of a campaign (a
season, another basket of goods) stands in none of them. It says nothing of an offer, as it moves
all arms, and is taken off as noise. New users are of no campaign: they are told the level of all.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from incentive_engine.domain import FloatArray
from incentive_engine.parallel import side_by_side
from incentive_engine.uplift.effects.trees import expit
from incentive_engine.uplift.rows import TrialRows


def campaign_levels(rows: TrialRows, *, event: FloatArray, log_odds: FloatArray) -> FloatArray:
    """Return by how much each row's campaign raises the log odds of an event, (n,).

    Each row's level is learned from the rows outside its fold; 0 where there is one campaign.

    Parameters
    ----------
    event
        (n,) 0 or 1.
    log_odds
        (n,) of the event given the features, averaged over the lottery's arms, out of fold.

    Notes
    -----
    A campaign's level d solves Σ w (y − σ(x + d)) = 0 over its rows, with the log odds x and the
    lottery's weights w, under which levels are those of all arms. It is believed in proportion to
    the variance between campaigns over the total (method of moments).
    """
    level = np.zeros(len(event))
    if rows.campaign is None or not rows.campaign.any():
        return level
    campaign, folds = rows.campaign, rows.folds

    def outside(fold: int) -> FloatArray:
        some = folds.outside(fold)
        return _levels(campaign[some], event[some], log_odds[some], rows.lottery.weight[some])

    for fold, levels in enumerate(side_by_side(outside, folds.count)):
        inside = folds.inside(fold)
        # a campaign whose rows are all of one fold has no level outside it
        known = np.append(levels, np.zeros(int(campaign.max()) + 1 - len(levels)))
        level[inside] = known[campaign[inside]]
    return level


def _levels(
    campaign: npt.NDArray[np.int16], event: FloatArray, log_odds: FloatArray, weight: FloatArray
) -> FloatArray:
    """Return (c,) float64, the level of each campaign as far as it is believed."""

    def sums(values: FloatArray) -> FloatArray:
        return np.asarray(np.bincount(campaign, weight * values), dtype=np.float64)

    mass = np.maximum(np.bincount(campaign, weight), 1e-12)
    # events, and others, that a campaign is taken to have at least: its level stays finite
    fewest = 0.5
    share = fewest / np.maximum(np.bincount(campaign), 1)
    happened = np.clip(sums(event) / mass, share, 1 - share)
    level = np.zeros(len(mass))
    # Newton steps to a level, which double its digits each
    for _ in range(8):
        expected = expit(log_odds + level[campaign])
        slope = np.maximum(sums(expected * (1 - expected)) / mass, 1e-12)
        # a step of more than one unit may pass the level, where odds are far from it
        level += np.clip((happened - sums(expected) / mass) / slope, -1.0, 1.0)
    expected = expit(log_odds + level[campaign])
    spread = sums(weight * (event - expected) ** 2)
    noise = np.maximum(spread, fewest) / np.maximum(sums(expected * (1 - expected)), 1e-12) ** 2
    precision = 1 / noise
    signal = max(float(precision @ (level**2 - noise)) / float(precision.sum()), 0.0)
    return np.asarray(signal / (signal + noise) * level)
