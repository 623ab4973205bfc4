"""How well the model knows the effects, as the page shows it; units as in `content`."""

from __future__ import annotations

from dataclasses import dataclass

from incentive_engine.language import Text
from incentive_engine.stats.estimate import Estimate
from incentive_engine.uplift.diagnosis.verdicts import CheckVerdict


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationGroup:
    """Trial rows with similar predictions: what was predicted, and what happened, per user."""

    rows: int
    predicted: float
    observed: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferQuality:
    """How well the model knows one offer's effects, out of fold, per user."""

    offer: str
    treated: int
    """Trial rows that got it."""
    conversion: Estimate
    qini: Estimate
    slope: Estimate | None
    """Of observed on predicted effects: 1 when well scaled; None for a constant prediction."""
    effects: tuple[CalibrationGroup, ...]
    costs: tuple[CalibrationGroup, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedByHistory:
    """What a group of history features adds, out of fold."""

    group: Text
    features: int
    gain: Estimate
    """Conversions per 1,000 persons, the best 30 % treated."""
    more: Estimate
    """The same, less what is gained without history."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferDrivers:
    """Which features make an offer's effect differ between users."""

    offer: str
    shares: tuple[tuple[Text, float], ...]
    """Feature and its share of all mean absolute contributions, the largest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostCurvePoint:
    """One budget: the cost that it allows per person, currency units, and the gains per person."""

    budget: float
    model: Estimate
    """Conversions by plans that aim with the model, out of fold."""
    constant: Estimate
    """Conversions by plans that know one effect per offer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """How well the model knows the effects."""

    rows: int
    differ: bool
    """Whether effects differ measurably between users."""
    p_value: float
    offers: tuple[OfferQuality, ...]
    checks: tuple[CheckVerdict, ...] = ()
    added: tuple[AddedByHistory, ...] = ()
    """Without history first; nothing where there is no history."""
    drivers: tuple[OfferDrivers, ...] = ()
    """None where effects do not differ."""
    curve: tuple[CostCurvePoint, ...] = ()
    """By rising budget."""
    over_constant: Estimate | None = None
    """Conversions per person beyond plans by one effect per offer, averaged over budgets."""
