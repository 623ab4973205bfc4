"""What the money returns, how surely a budget holds, and what more safety costs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Returns:
    """What the money returns by the scores, and what was asked of it."""

    roi: float | None
    """Incremental spend per unit of cost."""
    marginal_roi: float | None
    """That of the last money spent."""
    margin: float
    """Which part of the money is the last."""
    min_roi: float | None
    min_marginal_roi: float | None
    cap: float | None
    """The most that might be spent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AtRisk:
    """How real redemption may differ from what is expected, currency units."""

    confidence: float
    cost_error: float
    """The relative standard error of the forecast of the total cost."""
    deviation: float
    quantile: float
    """What real redemption stays within with this confidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyRow:
    """The best plan whose budget holds with some probability."""

    confidence: float
    expected_cost: float
    value: float
    conversions: float | None
    lost: float
    """The share of the first row's value that is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Safety:
    """The price of safety."""

    cost_error: float
    """The relative standard error of the forecast of the total cost."""
    rows: tuple[SafetyRow, ...]
