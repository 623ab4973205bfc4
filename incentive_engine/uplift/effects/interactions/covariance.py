"""How alike the offers' effects are and how much they vary: the covariance over offers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import ClassVar

import numpy as np

from incentive_engine.domain import FloatArray
from incentive_engine.uplift.effects.interactions.ridge import NormalEquations, Prior, log_evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """One candidate, as positions in lists of values."""

    DOSE_POWERS: ClassVar = (0.0, 1.0)
    """Whether spreads are equal over offers, or in proportion to the average effects."""
    CORRELATIONS: ClassVar = (0.0, 0.5, 0.8, 0.95, 0.995)
    """How alike two offers' effects are over users."""
    SPREADS: ClassVar = (
        *(0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.5),
        *(4.0, 6.5, 10.0, 16.0, 25.0),  # effects of both signs have averages that say nothing
    )
    """Standard deviation of effects between users, in units of the strongest average effect."""

    power: int
    correlation: int
    spread: int

    @property
    def around(self) -> list[Guess]:
        """The guesses at most one step away in correlation and spread."""
        correlations = range(self.correlation - 1, self.correlation + 2)
        spreads = range(self.spread - 1, self.spread + 2)
        return [
            Guess(power=self.power, correlation=c, spread=s)
            for c, s in product(correlations, spreads)
            if 0 <= c < len(self.CORRELATIONS) and 0 <= s < len(self.SPREADS)
        ]


class Covariances:
    """Covariances over the offers of a trial, and which of them its rows speak for.

    Parameters
    ----------
    equations
        What the rows say.
    average
        (k,) believed average effects.
    one_ladder
        Whether all offers are rungs of one ladder.
    """

    def __init__(
        self, equations: NormalEquations, average: FloatArray, *, one_ladder: bool
    ) -> None:
        self._gram, self._moment = equations.total
        self._offers, self._functions = equations.offers, equations.width - 1
        strongest = float(np.abs(average).max())
        # below the noise, the size of the averages says nothing
        self._scale = max(strongest, _usual_error(self._gram, equations.width))
        # 0.2: dose of an offer with no visible average effect, relative to the strongest
        dose = np.maximum(np.abs(average) / (strongest or 1.0), 0.2)
        self._dose = dose / np.sqrt(np.mean(dose**2))
        # how likely each of these is beforehand where all offers are rungs of one declared ladder:
        # more of the same moves the same people, and a trial with few conversions cannot tell
        self._log_prior = (
            np.log((0.01, 0.04, 0.1, 0.25, 0.6))
            if one_ladder
            else np.zeros(len(Guess.CORRELATIONS))
        )

    def of(self, guess: Guess) -> FloatArray:
        """Return the covariance that a guess stands for, (k, k)."""
        dose = self._dose ** guess.DOSE_POWERS[guess.power]
        alike = guess.CORRELATIONS[guess.correlation]
        likeness = alike + (1 - alike) * np.eye(self._offers)
        return (guess.SPREADS[guess.spread] * self._scale) ** 2 * np.outer(dose, dose) * likeness

    def first(self) -> Guess:
        """Return the likeliest guess when all functions are equally relevant."""
        correlations = range(len(Guess.CORRELATIONS) if self._offers > 1 else 1)
        every = product(range(len(Guess.DOSE_POWERS)), correlations, range(len(Guess.SPREADS)))
        guesses = [Guess(power=p, correlation=c, spread=s) for p, c, s in every]
        return self._likeliest(guesses, np.ones((self._offers, self._functions)))

    def near(self, guess: Guess, relevance: FloatArray) -> Guess:
        """Return the likeliest guess near another one, given the relevance (k, p)."""
        nearby = (
            guess.around if self._offers > 1 else [g for g in guess.around if not g.correlation]
        )
        return self._likeliest(nearby, relevance)

    def _likeliest(self, guesses: list[Guess], relevance: FloatArray) -> Guess:
        def evidence(guess: Guess) -> float:
            prior = Prior(covariance=self.of(guess), relevance=relevance)
            log_likelihood = log_evidence(self._gram, self._moment, prior)
            return log_likelihood + float(self._log_prior[guess.correlation])

        return max(guesses, key=evidence)


def _usual_error(gram: FloatArray, width: int) -> float:
    """Return the usual error of average effects without any heterogeneity."""
    return float(np.sqrt(np.diag(np.linalg.inv(gram[::width, ::width])).mean()))
