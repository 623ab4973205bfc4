from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from incentive_engine.uplift.crossfit import draw_folds
from incentive_engine.uplift.effects.stacking import (
    Belief,
    DeviationEvidence,
    HeterogeneityTest,
    WeightPrior,
)

EVEN = WeightPrior(beliefs=(Belief(chance=1.0, usual=(0.5, 0.5)),), each=0.1, together=0.1)
RIVAL = WeightPrior(
    beliefs=(Belief(chance=0.85, usual=(0.9, 0.1)), Belief(chance=0.15, usual=(0.1, 0.9))),
    each=0.15,
    together=0.15,
)


def evidence(slope: float, *, n: int, seed: int, prior: WeightPrior = EVEN) -> DeviationEvidence:
    """Draw two independent claims; the residual holds `slope` times the first."""
    rng = np.random.default_rng(seed)
    claim = 0.1 * rng.normal(size=(n, 2))
    contrast = rng.choice([-0.5, 0.5], size=(n, 1))
    residual = 0.3 * contrast[:, 0] + slope * claim[:, 0] + rng.normal(size=n)
    return DeviationEvidence(
        claim=claim,
        contrast=contrast,
        residual=residual,
        precision=np.ones(n),
        lottery=np.ones(n),
        prior=prior,
        likely=0.5,
    )


def test_constant_effects_are_mistaken_for_heterogeneity_one_time_in_twenty() -> None:
    """Binomial(400, 0.05) exceeds 37 with probability 1e-4 and stays below 6 with 1e-4."""
    alarms = sum(evidence(0.0, n=300, seed=seed).test().found for seed in range(400))
    assert 6 <= alarms <= 37


def test_claims_that_come_true_are_found() -> None:
    """The statistic has mean 22 and standard deviation 1."""
    assert evidence(1.0, n=100_000, seed=1).test().statistic > 15


def test_each_model_gets_the_weight_that_comes_true() -> None:
    """The shares have a standard error of 0.03."""
    sample = evidence(0.7, n=100_000, seed=2)
    folds = draw_folds(pd.Series(range(100_000)), count=4, rng=np.random.default_rng(0))
    stack = sample.weigh(folds)
    assert stack.weight == pytest.approx([0.7, 0.0], abs=0.15)
    assert (stack.weight >= 0).all()
    assert (stack.weight_outside >= 0).all()


def test_a_fold_has_no_say_in_its_own_weights() -> None:
    sample = evidence(0.7, n=2_000, seed=3)
    folds = draw_folds(pd.Series(range(2_000)), count=4, rng=np.random.default_rng(0))
    changed = sample.residual.copy()
    # constant effects are partialled out over all rows, so the change keeps out of their way
    inside = folds.inside(1)
    flip = np.where(sample.contrast[inside, 0] > 0, 1.0, -1.0)
    bump = sample.claim[inside, 0] - np.polyval(np.polyfit(flip, sample.claim[inside, 0], 1), flip)
    bump -= flip * (flip @ bump) / (flip @ flip)
    changed[inside] += 100 * bump
    other = replace(sample, residual=changed)
    before, after = sample.weigh(folds).weight_outside, other.weigh(folds).weight_outside
    assert after[1] == pytest.approx(before[1], rel=1e-6)
    assert np.abs(after[0] - before[0]).max() > 0.1


def test_claims_that_come_true_are_trusted_and_others_are_not() -> None:
    """The statistics have means of 22, 0 and -22 and standard deviation 1."""
    trust = [evidence(slope, n=100_000, seed=1).test().trust(0.5) for slope in (1.0, 0.0, -1.0)]
    assert trust[0] > 1 - 1e-6
    assert trust[1] < 0.5
    assert trust[2] < 0.01


def test_claims_too_small_to_show_are_trusted_as_much_as_beforehand() -> None:
    sample = evidence(0.0, n=300, seed=1)
    small = replace(sample, claim=1e-4 * sample.claim).test()
    assert small.statistic == pytest.approx(sample.test().statistic)
    for likely in (0.2, 0.5, 0.8):
        assert small.trust(likely) == pytest.approx(likely, abs=0.01)


def test_trust_is_the_chance_of_drawn_claims_that_look_like_these_to_be_true() -> None:
    """Some 3,400 of 100,000 are alike; the share of true ones has a standard error of 0.009."""
    rng = np.random.default_rng(5)
    hoped, n = 3.0, 100_000
    true = rng.random(n) < 0.5
    statistic = np.where(true, rng.random(n) * hoped, 0.0) + rng.normal(size=n)
    for shown in (0.0, 1.0, 2.0):
        alike = np.abs(statistic - shown) < 0.1
        test = HeterogeneityTest(statistic=shown, hoped=hoped, p_value=0.5, found=False)
        assert test.trust(0.5) == pytest.approx(true[alike].mean(), abs=0.04)


def test_weights_shrink_with_the_chance_that_claims_come_true() -> None:
    """Few rows hardly move the shares, so that the trust alone decides how large they are."""
    sample = evidence(0.0, n=300, seed=4)
    folds = draw_folds(pd.Series(range(300)), count=3, rng=np.random.default_rng(0))
    stack = sample.weigh(folds)
    assert stack.weight.sum() == pytest.approx(sample.test().trust(0.5), rel=0.1)
    for fold in range(3):
        rows = folds.outside(fold)
        rest = replace(
            sample,
            claim=sample.claim[rows],
            contrast=sample.contrast[rows],
            residual=sample.residual[rows],
            precision=sample.precision[rows],
            lottery=sample.lottery[rows],
        )
        assert stack.weight_outside[fold].sum() == pytest.approx(rest.test().trust(0.5), rel=0.1)


def test_few_rows_leave_the_likelier_belief_in_force_and_many_overrule_it() -> None:
    """The second model alone comes true; 100 rows can hardly tell, 100,000 leave no doubt."""
    few = [
        _normalised(_swapped(evidence(1.0, n=100, seed=seed, prior=RIVAL))) for seed in range(20)
    ]
    many = _normalised(_swapped(evidence(1.0, n=100_000, seed=6, prior=RIVAL)))
    assert np.mean(few, axis=0)[0] > 0.5
    assert many[1] > 0.95


def _swapped(sample: DeviationEvidence) -> DeviationEvidence:
    return replace(sample, claim=sample.claim[:, ::-1])


def _normalised(sample: DeviationEvidence) -> np.ndarray:
    folds = draw_folds(pd.Series(range(len(sample.claim))), count=3, rng=np.random.default_rng(0))
    weight = sample.weigh(folds).weight
    return np.asarray(weight / weight.sum())


def test_a_model_that_understates_is_scaled_up() -> None:
    """The slope of outcomes on the claims is 2, with a standard error of 0.03."""
    sample = evidence(2.0, n=100_000, seed=7)
    folds = draw_folds(pd.Series(range(100_000)), count=3, rng=np.random.default_rng(0))
    assert sample.weigh(folds).weight[0] == pytest.approx(2.0, abs=0.15)
