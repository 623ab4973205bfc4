"""The settings of the learner that someone may want to turn, each with its range and effect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from incentive_engine.errors import ConfigError, Fault, nearest
from incentive_engine.knobs import knob, out_of_range


@dataclass(frozen=True, slots=True, kw_only=True)
class FitParams:
    """How far the learner adapts to a trial, and what it believes beforehand.

    Raises
    ------
    ConfigError
        When a setting is out of its range, or a stage is none of `STAGES`.
    """

    STAGES: ClassVar[tuple[str, ...]] = (
        "products",
        "contrast_trees",
        "arm_trees",
        "averaging",
        "calibration",
        "prognosis",
        "cost_stacking",
        "cost_slope",
    )
    """The stages that an ablation may leave out, in the order in which they run.

    `products` of the strongest features in the ridge · `contrast_trees` and `arm_trees` in the
    stack · `averaging`, what weights regain for new users · `calibration` of stacked deviations ·
    `prognosis`, effects along what people would do anyway · `cost_stacking` of redemptions with
    conversions · `cost_slope` along predicted cost.
    """

    folds: int = knob(5, 2, 50)
    """K, models of each kind; each learns from the rows outside its fold. More take longer."""
    large_trial: int = knob(250_000, 1, 10**12)
    """Rows from which on there are three folds at most, and half as many trees at twice the rate:
    models differ little then, and time grows with the rows. Higher takes longer."""
    outcome_trees: int = knob(60, 1, 10_000)
    """Trees of the pooled outcome model. More fit outcomes closer, and noise too."""
    outcome_leaves: int = knob(8, 2, 8)
    """Leaves of each of them: how many features may act together on the outcome."""
    outcome_rate: float = knob(0.1, 1e-4, 1.0)
    """η, the learning rate of these trees."""
    events_per_leaf: int = knob(30, 1, 10**6)
    """Conversions that a leaf of the outcome model should hold. With fewer, effects inherit
    noise."""
    effect_leaves: int = knob(4, 2, 8)
    """Leaves of the effect trees: how many features may act together on an effect."""
    contrast_trees: int = knob(60, 1, 10_000)
    """Trees per direction on the contrasts between arms."""
    contrast_rate: float = knob(0.06, 1e-4, 1.0)
    """η of these trees; rate × trees is their λ, so that a unit of function is one deviation."""
    events_per_contrast_leaf: int = knob(60, 1, 10**6)
    """Conversions that a leaf of these should hold: effects are noisier than outcomes."""
    arm_trees: int = knob(40, 1, 10_000)
    """Trees in each arm, on what the outcome model leaves."""
    arm_rate: float = knob(0.05, 1e-4, 1.0)
    """η of these trees."""
    events_per_arm_leaf: int = knob(30, 1, 10**6)
    """Conversions that a leaf of these should hold."""
    additive_chance: float = knob(0.85, 0.01, 0.99)
    """π, how likely it is beforehand that features add up, and do not act together. Higher gives
    the ridge more weight in small trials."""
    weight_error: float = knob(0.15, 1e-3, 10.0)
    """Standard deviation of a weight in the stack around what is believed. Larger lets fewer rows
    overrule the belief."""
    scale_error: float = knob(0.15, 1e-3, 10.0)
    """Standard deviation of the scale that all weights share."""
    differ_chance: float = knob(0.8, 0.0, 1.0)
    """How likely it is beforehand that users differ in what offers of different kinds change.
    Lower shrinks effects of small trials to their averages."""
    differ_chance_of_one_kind: float = knob(0.5, 0.0, 1.0)
    """The same for one offer, or for a single ladder."""
    prognosis_slope: float = knob(0.1, -1.0, 2.0)
    """How far effects are thought to be in proportion to the event's variance beforehand, beyond
    what deviations say: 1 is wholly."""
    prognosis_error: float = knob(0.2, 1e-3, 10.0)
    """Standard deviation of that. Larger lets fewer rows overrule the belief."""
    relevance_restraint: float = knob(0.5, 1e-6, 1e6)
    """Weight of the belief that a feature is as relevant as any other, in halves of a coefficient;
    with none at all, a feature once found irrelevant could never come back."""
    relevance_steps: int = knob(20, 1, 1_000)
    """Steps towards the likeliest relevance in a turn."""
    ridge_coefficients: int = knob(480, 10, 5_000)
    """Coefficients of the ridge over all offers, at most: time grows with their cube. Beyond, the
    features that tell most about outcomes are kept."""
    level_share: float = knob(0.005, 0.0, 0.5)
    """Share of rows below which a level, or a missing value, gets no function of its own in the
    ridge. Lower follows rarer groups, and their noise."""
    named_values: int = knob(8, 0, 1_000)
    """Different values up to which a number may be the name of a group (a tier, a weekday), which
    no smooth curve describes."""
    spend_quantile: float = knob(0.995, 0.5, 1.0)
    """Quantile of buyers' spend at which it is cut while learning who spends more. Higher lets a
    few large baskets decide."""
    redemptions_per_leaf: int = knob(30, 1, 10**6)
    """Redemptions that a leaf of the cost model should hold."""
    cost_credit: float = knob(10.0, 1e-3, 1e6)
    """Redemptions as predicted that an offer's calibration, and the stack of both forecasts of
    cost, start from; few rows move them little."""
    cost_slope_error: float = knob(0.2, 1e-3, 10.0)
    """Standard deviation of each slope of actual on predicted cost, around 0."""
    without: tuple[str, ...] = ()
    """Stages that are left out, to see what they earn."""

    def __post_init__(self) -> None:
        faults = out_of_range(self)
        faults += [
            Fault(
                "FitParams: without",
                f"no stage is called `{stage}`",
                remedy=nearest(stage, self.STAGES),
            )
            for stage in self.without
            if stage not in self.STAGES
        ]
        if faults:
            raise ConfigError(*faults)

    def folds_of(self, rows: int) -> int:
        """Return how many folds so many rows are dealt to."""
        few_folds = 3
        return min(self.folds, few_folds) if rows >= self.large_trial else self.folds

    def has(self, stage: str) -> bool:
        """Return whether a stage runs."""
        return stage not in self.without


FIT: Final = FitParams()
"""What the program fits with."""
