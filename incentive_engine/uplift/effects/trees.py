"""Effects by LightGBM trees: on contrasts of arms, and on the arms' own outcomes.

Both see features together, which no sum of functions of single features can say. The first (an
R-learner) goes straight for differences between arms, along the principal directions in which
effects vary over the offers. The second (a T-learner) asks in each arm what the pooled outcome
model leaves unexplained, in log-odds, so that effects stay within what probabilities allow.

References
----------
Nie, Wager: Quasi-oracle estimation of heterogeneous treatment effects, Biometrika 108 (2021),
section 2, for regressing residuals on contrasts.
Künzel and others: Metalearners for estimating heterogeneous treatment effects, PNAS 116 (2019),
section 2, for one model per arm.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from incentive_engine.domain import FloatArray, Matrix
from incentive_engine.uplift.boosting.boosting import CrossFitted, expit
from incentive_engine.uplift.crossfit import Folds
from incentive_engine.uplift.effects.row_products import row_products


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ContrastTrees:
    """Deviations of effects along d directions over the offers.

    Attributes
    ----------
    functions
        d boosted functions of the features.
    directions : (d, k) float64
        Effects over the offers that one unit of each function means.
    """

    functions: tuple[CrossFitted, ...]
    directions: FloatArray

    def predict(self, matrix: Matrix, *, folds: Folds | None) -> FloatArray:
        """Return deviations, (n, k), out of fold for the trial's rows."""
        total = np.zeros((len(matrix), self.directions.shape[1]))
        for function, direction in zip(self.functions, self.directions, strict=True):
            total += function.predict(matrix, folds=folds)[:, None] * direction
        return total

    def save(self, directory: Path, name: str) -> None:
        """Write one text file per function and fold."""
        for at, function in enumerate(self.functions):
            function.save(directory, f"{name}_{at}")

    @classmethod
    def load(
        cls, directory: Path, name: str, *, directions: FloatArray, count: int
    ) -> ContrastTrees:
        """Read what `save` wrote."""
        functions = (
            CrossFitted.load(directory, f"{name}_{at}", count=count)
            for at in range(len(directions))
        )
        return cls(functions=tuple(functions), directions=directions)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ArmTrees:
    """Deviations of effects as differences between the arms' own outcome models.

    Attributes
    ----------
    arms
        1 + k boosted functions: what an arm adds to the pooled model's log-odds.
    pooling : (k, k) float64
        What the effects of all offers let believe of each, as far as offers are alike.
    """

    arms: tuple[CrossFitted, ...]
    pooling: FloatArray

    def predict(self, matrix: Matrix, log_odds: FloatArray, *, folds: Folds | None) -> FloatArray:
        """Return effects, (n, k), given the pooled model's log-odds of an event (n,)."""
        chance = [
            expit(log_odds + arm.predict(matrix, folds=folds, raw=True)) for arm in self.arms
        ]
        alone = np.stack(chance[1:], axis=1) - chance[0][:, None]
        return alone @ self.pooling if folds is not None else row_products(alone, self.pooling)

    def save(self, directory: Path, name: str) -> None:
        """Write one text file per arm and fold."""
        for at, arm in enumerate(self.arms):
            arm.save(directory, f"{name}_{at}")

    @classmethod
    def load(cls, directory: Path, name: str, *, pooling: FloatArray, count: int) -> ArmTrees:
        """Read what `save` wrote."""
        arms = (
            CrossFitted.load(directory, f"{name}_{at}", count=count)
            for at in range(len(pooling) + 1)
        )
        return cls(arms=tuple(arms), pooling=pooling)
