from __future__ import annotations

import numpy as np

from incentive_engine.domain import FloatArray
from incentive_engine.stats.estimate import Estimate
from incentive_engine.uplift.crossfit import draw_folds
from incentive_engine.uplift.doubly_robust.increments import Increments
from incentive_engine.uplift.effects.averages.average_effects import average_effects
from incentive_engine.uplift.evaluation.price_paths import FoldedPath, PlanPath
from incentive_engine.uplift.trial_design import even_lottery

from .trials import BASE, draw, even_effects, policy_of

TRIALS = 200
ROWS = 2_000
EFFECT = 0.05
OFFERS = 4


def errors_of_half_budget_plan(seed: int) -> tuple[float, float, float]:
    """Return the errors of the stated gain in standard errors, for three ways to plan.

    Effects are constant and the same for all offers, so the plan should be for the rows that are
    cheap. It is made fold by fold by the averages outside each fold; by those averages, but with
    one price for all rows; and by the averages of all rows, which also pick the luckiest offer.
    """
    known = draw(policy_of(10, 11, 12, 13), even_effects(*[EFFECT] * OFFERS), n=ROWS, seed=seed)
    trial = known.trial
    rng = np.random.default_rng(seed)
    folds = draw_folds(trial.user_id, count=5, rng=rng)
    averages = average_effects(trial.conversion - BASE, even_lottery(trial, ()), folds, ())
    cost, reach = rng.uniform(0.8, 1.2, (ROWS, OFFERS)), np.ones((ROWS, OFFERS), dtype=np.bool_)
    by_arm = np.tile([BASE, *[BASE + EFFECT] * OFFERS], (ROWS, 1))
    brought = Increments.of(
        arm=trial.arm, propensity=trial.propensity, outcome=trial.conversion, by_arm=by_arm
    )

    def error(path: FoldedPath | PlanPath) -> float:
        choice = path.plan(0.3 * ROWS)
        stated = brought.mean(brought.part(choice))
        return (stated.value - EFFECT * float(np.mean(choice >= 0))) / stated.standard_error

    apart: FloatArray = averages.outside[folds.label]
    together = np.tile(averages.effect, (ROWS, 1))
    return (
        error(FoldedPath.of(apart, cost, reach, folds.label)),
        error(PlanPath.of(apart, cost, reach)),
        error(PlanPath.of(together, cost, reach)),
    )


def test_the_stated_gain_of_a_plan_is_unbiased_and_covered() -> None:
    """By chance the mean fails with probability 6e-5, and the coverage with 2e-4.

    The mean error is normal with deviation 1 / √200, and a 95 % interval misses more than 22 of
    200. Both other ways to plan fail.
    """
    errors = np.array([errors_of_half_budget_plan(seed) for seed in range(TRIALS)])
    limit = 4 / np.sqrt(TRIALS)
    assert abs(errors[:, 0].mean()) < limit
    assert (np.abs(errors[:, 0]) > 1.96).sum() <= 22
    assert errors[:, 1].mean() < -limit
    assert errors[:, 2].mean() > limit


def test_few_events_do_not_narrow_the_interval() -> None:
    """Nobody of the few treated converted, though a tenth was expected to."""
    n = 400
    arm = np.arange(n) % 2
    choice = np.where(np.arange(n) < 20, 0, -1)
    outcome = ((np.arange(n) % 10 < 2) & (choice < 0)).astype(float)

    def stated(outcome: FloatArray) -> Estimate:
        brought = Increments.of(
            arm=arm,
            propensity=np.full(n, 0.5),
            outcome=outcome,
            by_arm=np.full((n, 2), 0.1),
        )
        return brought.mean(brought.part(choice))

    unlucky = stated(outcome)
    usual = stated((np.arange(n) % 10 < 2).astype(float))
    assert unlucky.standard_error > 0.6 * usual.standard_error
