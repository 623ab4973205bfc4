"""Whether the users to decide on are like the people of the trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from scipy.special import chdtri

from incentive_engine.domain import FloatArray, IntArray, Matrix
from incentive_engine.language import Message, say
from incentive_engine.language.wording import shortened
from incentive_engine.stats.systematic_sample import evenly
from incentive_engine.uplift.boosting.boosting import BinnedRows, Recipe, predict, train
from incentive_engine.uplift.diagnosis.thresholds import DIAGNOSIS
from incentive_engine.uplift.diagnosis.verdicts import CheckVerdict, TrialCheck
from incentive_engine.uplift.model import EffectModel

if TYPE_CHECKING:
    import lightgbm as lgb


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How one feature moved.

    Attributes
    ----------
    feature
        Its name.
    stability
        Population stability index, ``Σ (u - t) ln(u / t)`` over bins with the share t of the trial
        and u of the users: 0 where nothing moved, above 0.25 where much did.
    difference
        Users' mean minus the trial's in standard deviations of the trial; None for categories.
    """

    LARGE: ClassVar[float] = 0.25
    """The index from which a feature counts as another population's."""

    feature: str
    stability: float
    chance: float
    difference: float | None

    @property
    def moved(self) -> bool:
        """Whether much moved, and not by chance."""
        return self.stability > max(self.LARGE, self.chance)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Users against the trial.

    Attributes
    ----------
    shifts
        Those that moved come first, each part by falling stability index.
    effective_share
        The trial's rows, weighted to look like the users, tell as much as this share of them
        (Kish); 1 where both are alike, None where either side is too small to tell.
    """

    shifts: tuple[Shift, ...]
    effective_share: float | None

    @property
    def findings(self) -> tuple[CheckVerdict, ...]:
        """What a planner should know before trusting effects on these users."""
        moved = [
            say("drift.one", feature=shift.feature, stability=shift.stability)
            for shift in self.shifts
            if shift.moved
        ]
        warnings = []
        if moved:
            what = say("drift.moved", named=shortened(moved, 3), limit=Shift.LARGE)
            warnings.append((what, say("drift.hardly_tried")))
        share = self.effective_share
        if share is not None and share < DIAGNOSIS.effective_rows:
            what = say("drift.reweighted", share=share)
            warnings.append((what, say("drift.narrow")))
        if not warnings:
            return (CheckVerdict(check=TrialCheck.DRIFT, verdict="fine", what=say("drift.fine")),)
        return tuple(
            CheckVerdict(check=TrialCheck.DRIFT, verdict="warning", what=what, remedy=remedy)
            for what, remedy in warnings
        )

    @property
    def warnings(self) -> tuple[Message, ...]:
        """The findings that a planner should know, in full."""
        return tuple(finding.message for finding in self.findings if finding.verdict == "warning")

    def to_dict(self) -> dict[str, Any]:
        """Return the content for a JSON file."""
        return {
            **asdict(self),
            "warnings": [str(warning) for warning in self.warnings],
            "findings": [finding.to_dict() for finding in self.findings],
        }


def drift(
    model: EffectModel, trial: pd.DataFrame, users: pd.DataFrame, *, alarms: float = 0.001
) -> Drift:
    """Compare the features of users with those of the model's trial.

    Parameters
    ----------
    alarms
        How often users like the trial's people are said to differ, over all features together.

    Raises
    ------
    DataError
        When a feature that the model learned from is missing.
    """
    then = model.encoder.encode(_some(trial), where="trial")
    now = model.encoder.encode(_some(users), where="users")
    features = model.encoder.features
    shifts = []
    for at, feature in enumerate(features):
        before, after, whole = then[:, at], now[:, at], feature.kind == "category"
        index, chance = stability(before, after, whole=whole, alarms=alarms / len(features))
        difference = None if whole else _difference(before, after)
        shifts.append(
            Shift(feature=feature.name, stability=index, chance=chance, difference=difference)
        )
    ranked = sorted(shifts, key=lambda shift: (-shift.moved, -shift.stability))
    enough = min(len(then), len(now)) >= DIAGNOSIS.reweighted_rows
    share = _effective_share(then, now, model.encoder.crowded) if enough else None
    return Drift(shifts=tuple(ranked), effective_share=share)


def stability(then: Matrix, now: Matrix, *, whole: bool, alarms: float) -> tuple[float, float]:
    """Return the population stability index of one encoded column, and what chance may give.

    Parameters
    ----------
    then, now
        (n,), (m,) values, NaN where missing, which is a bin of its own.
    whole
        Each value is a bin, as codes of a category are; otherwise tenths of `then` are. Bins that
        few would be in share one.
    alarms
        How often people drawn alike exceed the second number.

    Notes
    -----
    Among people drawn alike the index times ``n m / (n + m)`` is chi-square with a degree of
    freedom for each bin but one.
    """
    present = then[~np.isnan(then)]
    if whole or not len(present):
        edges = np.unique(np.concatenate([present, now[~np.isnan(now)]]))
    else:
        bins = 10
        tenths = np.quantile(present, np.linspace(0, 1, bins + 1)[1:-1]).astype(np.float32)
        # a value that many share has a bin of its own
        edges = np.unique(np.concatenate([tenths, np.nextafter(tenths, np.float32(-np.inf))]))
    counts = np.stack([_counts(values, edges) for values in (then, now)])
    counts = _without_rare(counts[:, counts.any(axis=0)])
    before, after = (counts + 0.5) / (counts + 0.5).sum(axis=1, keepdims=True)
    index = float(((after - before) * np.log(after / before)).sum())
    chance = chdtri(max(counts.shape[1] - 1, 1), alarms) * (1 / counts.sum(axis=1)).sum()
    return index, float(chance)


def _without_rare(counts: IntArray) -> IntArray:
    """Return the (2, bins) counts with those bins in one that either side should have few in."""
    rows = counts.sum(axis=1)
    # people of either side that a bin should have; rarer bins share one, or chance would decide
    fewest_expected = 5
    rare = counts.sum(axis=0) * (rows.min() / rows.sum()) < fewest_expected
    if not rare.any():
        return counts
    return np.column_stack([counts[:, ~rare], counts[:, rare].sum(axis=1)])


def _counts(values: Matrix, edges: Matrix) -> IntArray:
    label = np.searchsorted(edges, values, side="left")
    label = np.where(np.isnan(values), len(edges) + 1, label)
    return np.bincount(label, minlength=len(edges) + 2)


def _difference(then: Matrix, now: Matrix) -> float | None:
    if np.isnan(then).all() or np.isnan(now).all():
        return None
    spread = float(np.nanstd(then))
    return float(np.nanmean(now) - np.nanmean(then)) / spread if spread > 0 else None


def looked_at(rows: int) -> IntArray:
    """Return the places of the rows that are looked at, of either side."""
    return evenly(rows, 50_000)


def _some(features: pd.DataFrame) -> pd.DataFrame:
    return features.iloc[looked_at(len(features))]


def _effective_share(then: Matrix, now: Matrix, categories: Sequence[int]) -> float:
    """Return Kish's share of the trial's rows under weights that make them like the users.

    The weights are the odds of being a user by a classifier that saw the other half.
    """
    both = np.concatenate([then, now])
    label = np.concatenate([np.zeros(len(then)), np.ones(len(now))])
    half = np.arange(len(both)) % 2
    binned = BinnedRows(both, categories=categories)
    weight = np.empty(len(then))
    for side in (0, 1):
        seen = np.flatnonzero(half != side)
        asked = np.flatnonzero(half[: len(then)] == side)
        chance = predict(_classifier(binned, seen, label), then[asked])[:, 0].clip(1e-6, 1 - 1e-6)
        weight[asked] = chance / (1 - chance)
    return float(weight.sum() ** 2 / (len(weight) * np.square(weight).sum()))


def _classifier(binned: BinnedRows, seen: IntArray, label: FloatArray) -> lgb.Booster:
    weight = np.ones(len(seen))
    recipe = Recipe(objective="binary", trees=40, leaves=8, rate=0.1, rows_per_leaf=100, l2=10.0)
    return train(binned.subset(seen), label=label[seen], weight=weight, recipe=recipe, seed=0)
