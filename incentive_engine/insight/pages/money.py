"""What pages show of returns, of risk and of the price of safety."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from incentive_engine.allocation import SafetyPoint
from incentive_engine.domain import CONVERSION
from incentive_engine.report import AtRisk, Returns, Safety, SafetyRow


def returns_of(certificate: Mapping[str, Any]) -> Returns:
    """Return what a certificate states of the money's return."""
    stated, mandate = certificate["returns"], certificate["mandate"]
    return Returns(
        roi=stated["roi"], marginal_roi=stated["marginal_roi"], margin=stated["margin"], **mandate
    )


def at_risk_of(certificate: Mapping[str, Any]) -> AtRisk | None:
    """Return what a certificate states of a budget at risk; None for another."""
    stated = certificate["budget"].get("at_risk")
    return None if stated is None else AtRisk(**stated)


def safety_of(points: Sequence[SafetyPoint], *, cost_error: float) -> Safety | None:
    """Return the price of safety; None where it was not asked for."""
    if not points:
        return None
    first = points[0].value
    return Safety(
        cost_error=cost_error,
        rows=tuple(
            SafetyRow(
                confidence=point.confidence,
                expected_cost=point.expected,
                value=point.value,
                conversions=point.amounts.get(CONVERSION),
                lost=(first - point.value) / first if first > 0 else 0.0,
            )
            for point in points
        ),
    )
