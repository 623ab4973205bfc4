"""How well the model knows the effects, as the report shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from incentive_engine.language import Message, stored
from incentive_engine.pipeline.quality import ModelQuality
from incentive_engine.report.quality import (
    AddedByHistory,
    CalibrationGroup,
    CostCurvePoint,
    OfferDrivers,
    OfferQuality,
)
from incentive_engine.report.quality import Quality as Shown
from incentive_engine.stats.estimate import Estimate


def model_quality(quality: ModelQuality | None) -> Shown | None:
    """Return calibration and Qini of a run's model; None where scores are given."""
    if quality is None:
        return None
    evaluation = quality.evaluation
    history = evaluation.get("history", {})
    words = {
        name: stored.from_dict(message) for name, message in history.get("features", {}).items()
    }
    return Shown(
        rows=evaluation["rows"],
        differ=evaluation["heterogeneity"]["found"],
        p_value=evaluation["heterogeneity"]["p_value"],
        offers=tuple(_offer(offer) for offer in evaluation["offers"]),
        checks=quality.checks,
        drivers=tuple(
            _drivers(offer, named, words)
            for offer, named in evaluation["drivers"].items()
            if named
        ),
        added=tuple(_added(line) for line in history.get("added", ())),
        curve=tuple(_point(point) for point in evaluation["curve"]["points"]),
        over_constant=_estimate(evaluation["curve"]["area_over_constant"]),
    )


def _point(found: Mapping[str, Any]) -> CostCurvePoint:
    return CostCurvePoint(
        budget=found["budget"],
        model=_estimate(found["model"]),
        constant=_estimate(found["constant"]),
    )


def _added(found: Mapping[str, Any]) -> AddedByHistory:
    return AddedByHistory(
        group=stored.from_dict(found["group"]),
        features=found["features"],
        gain=_estimate(found["gain"]).times(1000),
        more=_estimate(found["more"]).times(1000),
    )


def _drivers(
    offer: str, named: list[Mapping[str, Any]], words: Mapping[str, Message]
) -> OfferDrivers:
    total = sum(driver["mean_contribution"] for driver in named)
    shares = tuple(
        (words.get(driver["feature"], driver["feature"]), driver["mean_contribution"] / total)
        for driver in named
    )
    # features that are named per offer
    shown = 5
    return OfferDrivers(offer=offer, shares=shares[:shown])


def _offer(found: Mapping[str, Any]) -> OfferQuality:
    slope = found["effect_slope"]
    return OfferQuality(
        offer=found["offer"],
        treated=found["treated"],
        conversion=_estimate(found["conversion"]),
        qini=_estimate(found["qini"]),
        slope=None if slope is None else _estimate(slope),
        effects=tuple(_group(group) for group in found["effect_groups"]),
        costs=tuple(_group(group) for group in found["cost_groups"]),
    )


def _group(found: Mapping[str, Any]) -> CalibrationGroup:
    return CalibrationGroup(
        rows=found["rows"],
        predicted=found["predicted"],
        observed=_estimate(found["observed"]),
    )


def _estimate(found: Mapping[str, Any]) -> Estimate:
    return Estimate(value=found["estimate"], low=found["low"], high=found["high"])
