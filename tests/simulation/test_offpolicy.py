from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from incentive_engine.data.trials.trial import Trial
from incentive_engine.domain import FloatArray
from incentive_engine.simulation.offpolicy import ChoiceValuation, Nuisance, overlap_warning, value
from incentive_engine.simulation.results.replay_table import quotient, total

SHARES = np.array([0.3, 0.5, 0.2])


def logged(n: int, seed: int) -> tuple[Trial, FloatArray]:
    """Return a trial of two offers with unequal shares, and the true conversion per arm."""
    rng = np.random.default_rng(seed)
    x = rng.random(n)
    chance = np.column_stack([0.1 + 0.1 * x, 0.15 + 0.1 * x, 0.1 + 0.3 * x])
    arm = rng.choice(3, n, p=SHARES).astype(np.int16)
    converted = (rng.random(n) < chance[np.arange(n), arm]).astype(np.float64)
    trial = Trial(
        offers=("a", "b"),
        user_id=pd.Series(np.arange(n)),
        features=pd.DataFrame({"x": x}),
        arm=arm,
        conversion=converted,
        spend=100 * converted,
        cost=5.0 * (arm > 0) * converted,
        propensity=SHARES[arm],
        ignored_rows={},
        counts={},
        warnings=(),
    )
    return trial, chance


def ignorant(n: int) -> Nuisance:
    return Nuisance(base=np.zeros((n, 3)), effect=np.zeros((n, 2, 3)))


def choice_of(trial: Trial) -> npt.NDArray[np.int16]:
    """Return offer b for large x, a for middling x, none for small x."""
    x = trial.features["x"].to_numpy()
    return np.where(x > 0.6, 1, np.where(x > 0.3, 0, -1)).astype(np.int16)


@pytest.mark.parametrize("estimator", range(3), ids=ChoiceValuation.ESTIMATORS)
def test_every_estimator_covers_the_truth_of_a_known_trial(estimator: int) -> None:
    # 200 trials: 95 % intervals cover less than 89 % of them with probability below 0.001
    covered = 0
    for seed in range(200):
        trial, chance = logged(3_000, seed)
        choice = choice_of(trial)
        rows = np.flatnonzero(choice >= 0)
        truth = (chance[rows, choice[rows] + 1] - chance[rows, 0]).sum()
        found = value(trial, choice, ignorant(3_000), clip=0.01)
        interval = total(found.rows[:, estimator, 0].astype(np.float64))
        covered += interval.low <= truth <= interval.high
    assert covered >= 178


def test_good_predictions_make_the_doubly_robust_interval_narrower() -> None:
    trial, chance = logged(5_000, 1)
    measures = np.array([1.0, 100.0, 0.0])
    base = chance[:, :1] * measures
    effect = (chance[:, 1:] - chance[:, :1])[:, :, None] * measures
    good = value(trial, choice_of(trial), Nuisance(base=base, effect=effect), clip=0.01)
    bad = value(trial, choice_of(trial), ignorant(5_000), clip=0.01)
    assert good.rows[:, 0, 0].std() < 0.95 * bad.rows[:, 0, 0].std()


def test_nobody_is_worth_exactly_nothing() -> None:
    trial, _ = logged(500, 2)
    found = value(trial, np.full(500, -1, dtype=np.int16), ignorant(500), clip=0.01)
    assert not found.rows.any()
    assert found.treated == 0
    assert overlap_warning([found]) is None


def test_self_normalised_rows_sum_to_the_weighted_means() -> None:
    trial, _ = logged(2_000, 3)
    choice = np.zeros(2_000, dtype=np.int16)
    found = value(trial, choice, ignorant(2_000), clip=0.01)
    means = [trial.conversion[trial.arm == arm].mean() for arm in (1, 0)]
    assert found.rows[:, 1, 0].sum() == pytest.approx(2_000 * (means[0] - means[1]), rel=1e-3)


def test_equal_weights_make_every_matched_row_effective() -> None:
    trial, _ = logged(2_000, 4)
    found = value(trial, np.zeros(2_000, dtype=np.int16), ignorant(2_000), clip=0.01)
    assert found.effective == pytest.approx(found.matched)
    assert overlap_warning([found]) is None


def test_an_offer_that_such_users_never_got_is_warned_of() -> None:
    trial, _ = logged(4_000, 5)
    never = (trial.features["x"].to_numpy() > 0.5) & (trial.arm == 2)
    arm = np.where(never, 1, trial.arm).astype(np.int16)
    thin = replace(trial, arm=arm, propensity=SHARES[arm])
    found = value(thin, np.ones(4_000, dtype=np.int16), ignorant(4_000), clip=0.01)
    assert "the trial never gave" in str(overlap_warning([found]))


def test_few_rows_and_tiny_propensities_are_warned_of() -> None:
    trial, _ = logged(200, 6)
    found = value(trial, np.ones(200, dtype=np.int16), ignorant(200), clip=0.25)
    warning = str(overlap_warning([found]))
    assert "effective rows" in warning
    assert "below the clip" in warning


def test_a_quotient_of_equal_sums_is_exact() -> None:
    rows = np.random.default_rng(7).random(50)
    assert quotient(2 * rows, rows) == pytest.approx((2.0, 2.0, 2.0))
