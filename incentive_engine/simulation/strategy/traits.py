"""What tells the strategies of a scenario apart, beside how they hand out offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from incentive_engine.config.scenario import Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyTraits:
    """What a strategy is like."""

    favours: bool | None = None
    """Of one that solves the policy's problem: whether it favours members. None for a rule."""
    knows_truth: bool = False
    """It knows what nobody can know: an oracle."""
    learns: bool = False
    """It learns from the campaigns of a series."""
    idle: bool = False
    """It does nothing."""

    @property
    def states_gain(self) -> bool:
        """Whether it says beforehand what it will gain."""
        return self.favours is not None and not self.knows_truth

    @property
    def is_engine(self) -> bool:
        """Whether it is the engine as it comes, without a series to learn from."""
        return self.states_gain and not self.learns

    @property
    def is_mark(self) -> bool:
        """Whether it only marks how far others come: nobody can use it, or it does nothing."""
        return self.knows_truth or self.idle


TRAITS: Final[Mapping[Strategy, StrategyTraits]] = {
    "nobody": StrategyTraits(idle=True),
    "everyone": StrategyTraits(),
    "first-come": StrategyTraits(),
    "tier-rules": StrategyTraits(),
    "propensity": StrategyTraits(),
    "greedy": StrategyTraits(),
    "engine": StrategyTraits(favours=True),
    "engine-unweighted": StrategyTraits(favours=False),
    "oracle": StrategyTraits(favours=True, knows_truth=True),
    "oracle-unweighted": StrategyTraits(favours=False, knows_truth=True),
    "engine-learning": StrategyTraits(favours=True, learns=True),
    "engine-naive": StrategyTraits(favours=True, learns=True),
}
"""Strategy to what it is like, in the order in which pages name them."""


def engines() -> tuple[Strategy, ...]:
    """Return the strategies that are the engine as it comes."""
    return tuple(name for name, traits in TRAITS.items() if traits.is_engine)


def oracles() -> tuple[Strategy, ...]:
    """Return the strategies that know the truth."""
    return tuple(name for name, traits in TRAITS.items() if traits.knows_truth)
