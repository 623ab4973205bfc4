from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from incentive_engine.domain import FloatArray
from incentive_engine.uplift.crossfit import Folds, draw_folds
from incentive_engine.uplift.effects.interactions.fit import Interacting, learn_pairs
from incentive_engine.uplift.effects.interactions.interactions import (
    PairProducts,
    partners,
    products,
)
from incentive_engine.uplift.effects.interactions.ridge import Prior, normal_equations, solve
from incentive_engine.uplift.randomisation import Randomisation

FEATURES = 6
SLOPE = np.sqrt(np.array([1.0, 1.0, 0.5, 0.0, 0.0, 0.0]))
"""How far each feature moves the effect by itself, in deviations of its function."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class World:
    phi: FloatArray
    lottery: Randomisation
    residual: FloatArray
    folds: Folds
    effect: FloatArray
    """(n,) of one offer."""

    def learned(self, vague: float = 1.0) -> Interacting:
        equations = normal_equations(
            phi=self.phi,
            lottery=self.lottery,
            residual=self.residual,
            weight=np.ones(len(self.phi)),
            folds=self.folds,
        )
        prior = Prior(
            covariance=np.full((1, 1), vague * FEATURES), relevance=np.ones((1, FEATURES))
        )
        outside = [equations.without(fold) for fold in range(self.folds.count)]
        return learn_pairs(
            equations,
            [(prior, solve(said, prior)) for said in outside],
            range(FEATURES),
            phi=self.phi,
            lottery=self.lottery,
            residual=self.residual,
            weight=np.ones(len(self.phi)),
            folds=self.folds,
        )

    def deviation(self, learned: Interacting) -> FloatArray:
        mean = learned.ridge.mean(axis=0)
        return np.asarray(self.phi @ mean[0] + learned.pairs.predict(self.phi, folds=None)[:, 0])


def drawn(together: float, *, n: int = 20_000, seed: int = 0) -> World:
    """Draw an offer by lot whose effect holds `together` times the first two features' product."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, FEATURES))
    x -= x.mean(axis=0)
    effect = x @ SLOPE + together * x[:, 0] * x[:, 1]
    arm = rng.integers(0, 2, n)
    lottery = Randomisation(
        arm=arm,
        weight=np.ones(n),
        share=np.full((n, 2), 0.5),
        reach=np.ones((n, 1), dtype=np.bool_),
        odds=np.ones(1),
    )
    residual = lottery.contrast[:, 0] * effect + rng.normal(size=n)
    folds = draw_folds(pd.Series(range(n)), count=3, rng=rng)
    phi = x / np.sqrt(FEATURES)
    return World(phi=phi, lottery=lottery, residual=residual, folds=folds, effect=effect)


def test_features_that_reinforce_each_other_are_found() -> None:
    """A coefficient's standard error is 2 / √n, 0.014; sums over features leave 0.49 unsaid."""
    world = drawn(0.7)
    unsaid = world.effect - world.effect.mean() - world.deviation(world.learned())
    assert np.sqrt(np.mean(unsaid**2)) < 0.1


def test_features_that_do_not_reinforce_each_other_are_left_alone() -> None:
    """Six products of deviation 1 whose coefficients are noise of 0.017 outside each fold."""
    world = drawn(0.0)
    added = world.learned().pairs.predict(world.phi, folds=None)
    assert added.std() < 0.02


def test_a_fold_has_no_say_in_its_own_products() -> None:
    world = drawn(0.7, n=3_000)
    other = drawn(0.7, n=3_000)
    inside = other.folds.inside(0)
    other.residual[inside] = np.random.default_rng(1).normal(size=len(inside))
    one, two = world.learned(), other.learned()
    assert (one.ridge[0] == two.ridge[0]).all()
    assert (one.pairs.coefficient[0] == two.pairs.coefficient[0]).all()
    assert not np.allclose(one.pairs.coefficient[1], two.pairs.coefficient[1])


def test_rows_of_the_trial_are_asked_of_the_version_that_never_saw_them() -> None:
    world = drawn(0.7, n=3_000)
    pairs = world.learned().pairs
    found = pairs.predict(world.phi, folds=world.folds)
    for fold in range(3):
        rows = world.folds.inside(fold)
        values = products(world.phi[rows], pairs.main[fold]) - pairs.centre[fold]
        assert found[rows] == pytest.approx(values @ pairs.coefficient[fold].T)


def test_contributions_of_features_add_up() -> None:
    world = drawn(0.7, n=3_000)
    pairs = world.learned().pairs
    parts = pairs.contributions(world.phi, FEATURES)
    assert parts.sum(axis=2) == pytest.approx(pairs.predict(world.phi, folds=None))
    assert np.abs(parts[:, 0]).mean(axis=0).argsort()[-2:].tolist() in ([0, 1], [1, 0])


def test_one_feature_has_no_partner() -> None:
    assert products(np.ones((3, 2)), np.ones((1, 2))).shape == (3, 0)
    assert [len(side) for side in partners(1)] == [0, 0]


def test_products_survive_the_model_file() -> None:
    pairs = drawn(0.7, n=3_000).learned().pairs
    again = PairProducts.from_json(pairs.to_json())
    for name in ("column", "main", "centre", "coefficient"):
        assert (getattr(again, name) == getattr(pairs, name)).all()


def test_products_are_learned_from_the_long_regression() -> None:
    """With a prior that says nothing, and rows that surely interact, it is least squares."""
    world = drawn(5.0, n=3_000)
    learned = world.learned(vague=1e8)
    for fold in range(3):
        rows = world.folds.outside(fold)
        values = products(world.phi, learned.pairs.main[fold]) - learned.pairs.centre[fold]
        design = world.lottery.contrast * np.column_stack([np.ones(3_000), world.phi, values])
        found = np.linalg.lstsq(design[rows], world.residual[rows], rcond=None)[0]
        assert learned.ridge[fold, 0] == pytest.approx(found[1 : 1 + FEATURES], abs=1e-3)
        assert learned.pairs.coefficient[fold, 0] == pytest.approx(found[1 + FEATURES :], abs=1e-3)


def test_centred_products_average_nothing() -> None:
    world = drawn(0.7, n=3_000)
    pairs = world.learned().pairs
    for fold in range(3):
        values = products(world.phi, pairs.main[fold])
        assert pairs.centre[fold] == pytest.approx(values.mean(axis=0))
