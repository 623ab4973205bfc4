"""The arms of a trial, weighted so that each stands for all who could have got it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from incentive_engine.data.trials.trial import Trial
from incentive_engine.domain import CONTROL, BoolArray, FloatArray, IntArray
from incentive_engine.language import Message, Value, say
from incentive_engine.language.wording import shortened
from incentive_engine.stats.power import detectable_effect
from incentive_engine.uplift.diagnosis.thresholds import DIAGNOSIS
from incentive_engine.uplift.diagnosis.verdicts import ArmCount, CheckVerdict, TrialCheck


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WeightedArms:
    """n rows dealt out to control and k offers.

    Attributes
    ----------
    names
        Control and the offers.
    arm
        (n,) int64; 0 control, j offer j - 1.
    inverse
        (n,) float64, 1 / propensity of the arm that the row got.
    reach
        (n, k) bool, whether eligibility lets the offer go to the row.
    """

    names: tuple[str, ...]
    arm: IntArray
    inverse: FloatArray
    reach: BoolArray

    @classmethod
    def of(cls, trial: Trial, reach: BoolArray) -> WeightedArms:
        """Return the arms of a trial."""
        return cls(
            names=(CONTROL, *trial.offers),
            arm=trial.arm.astype(np.int64),
            inverse=1 / trial.propensity,
            reach=reach,
        )

    def treated(self, offer: int) -> IntArray:
        """Return the rows that got an offer and may get it."""
        return np.flatnonzero((self.arm == offer + 1) & self.reach[:, offer])

    def control(self, offer: int) -> IntArray:
        """Return the rows of control that might have got an offer."""
        return np.flatnonzero((self.arm == 0) & self.reach[:, offer])


def count_arms(trial: Trial, arms: WeightedArms) -> tuple[ArmCount, ...]:
    """Return the size of each arm, and what it can tell."""
    counts: list[ArmCount] = []
    for code, name in enumerate(arms.names):
        got = arms.arm == code
        inverse = arms.inverse[got]
        effective = float(inverse.sum() ** 2 / max(np.square(inverse).sum(), 1e-300))
        against = effective if code == 0 else counts[0].effective
        rate = float(inverse @ trial.conversion[got] / max(inverse.sum(), 1e-300))
        base = counts[0].rate if counts else rate
        counts.append(
            ArmCount(
                arm=name,
                rows=int(got.sum()),
                conversions=int(trial.conversion[got].sum()),
                rate=rate,
                stands_for=float(inverse.sum()),
                reach=int(trial.n_rows if code == 0 else arms.reach[:, code - 1].sum()),
                effective=effective,
                detectable=detectable_effect(base, effective, against) if code else 0.0,
            )
        )
    return tuple(counts)


def size_findings(counts: tuple[ArmCount, ...]) -> list[CheckVerdict]:
    """Say which arms are too small."""
    few = [
        count
        for count in counts
        if count.conversions < DIAGNOSIS.arm_conversions or math.isinf(count.detectable)
    ]
    findings = [
        CheckVerdict(
            check=TrialCheck.ARM_SIZES,
            verdict="warning",
            what=_shows(count),
            remedy=say("trial.sizes.larger"),
        )
        for count in few
    ]
    if refused := _worthless(counts):
        return [refused, *findings]
    smallest = max(count.detectable for count in counts)
    return findings or [
        CheckVerdict(
            check=TrialCheck.ARM_SIZES,
            verdict="fine",
            what=say("trial.sizes.fine", least=smallest),
        )
    ]


def _worthless(counts: tuple[ArmCount, ...]) -> CheckVerdict | None:
    """Return a refusal where chance explains every effect that a plan could be made from.

    A trial is too small when it has fewer conversions in all than `DIAGNOSIS` asks for, or when no
    offer would show an effect as large as all that people buy anyway.
    """
    conversions = sum(count.conversions for count in counts)
    least = min((count.detectable for count in counts[1:]), default=math.inf)
    least_events = DIAGNOSIS.trial_conversions
    if conversions >= least_events and least <= max(counts[0].rate, 1e-12):
        return None
    rows = sum(count.rows for count in counts)
    without = sum(count.rows - count.conversions for count in counts)
    if min(conversions, without) >= least_events and counts[0].rate == 0:
        return None
    what = say("trial.sizes.worthless", conversions=conversions, rows=rows)
    if math.isfinite(least):
        what = say("trial.sizes.worthless_below", conversions=conversions, rows=rows, least=least)
    return CheckVerdict(
        check=TrialCheck.ARM_SIZES, verdict="refusal", what=what, remedy=say("trial.sizes.power")
    )


def _shows(count: ArmCount) -> Message:
    values: dict[str, Value] = {
        "arm": count.arm,
        "conversions": count.conversions,
        "rows": count.rows,
    }
    if math.isinf(count.detectable):
        return say("trial.sizes.few_nothing", **values)
    if count.detectable:
        return say("trial.sizes.few_shows", least=count.detectable, **values)
    return say("trial.sizes.few", **values)


def left_out_findings(trial: Trial) -> list[CheckVerdict]:
    """Say which arms of the trial the policy does not offer: a slip of a name would hide there."""
    if not trial.ignored_rows:
        return []
    ranked = sorted(trial.ignored_rows.items(), key=lambda arm: (-arm[1], arm[0]))
    arms = [say("trial.sizes.arm", arm=name, rows=rows) for name, rows in ranked]
    # arms that a sentence names; the others are counted
    named = 5
    what = say("trial.sizes.not_offered", arms=shortened(arms, named))
    return [CheckVerdict(check=TrialCheck.ARM_SIZES, verdict="fine", what=what)]


def overlap_findings(arms: WeightedArms, counts: tuple[ArmCount, ...]) -> list[CheckVerdict]:
    """Say where few rows stand for many people."""
    findings = []
    # a row below it stands for more than a hundred people
    smallest_propensity = 0.01
    # share of an arm's rows that its weights may cost before that is said
    least_effective = 0.5
    for code, count in enumerate(counts):
        inverse = arms.inverse[arms.arm == code]
        rare = float(np.mean(inverse > 1 / smallest_propensity)) if len(inverse) else 0.0
        if rare or count.effective < least_effective * count.rows:
            what = say(
                "trial.overlap.thin",
                rows=count.rows,
                arm=count.arm,
                effective=count.effective,
                least=float(1 / inverse.max()),
            )
            remedy = say("trial.overlap.wide")
            findings.append(
                CheckVerdict(check=TrialCheck.OVERLAP, verdict="warning", what=what, remedy=remedy)
            )
    strays = int(sum(((arms.arm == j + 1) & ~arms.reach[:, j]).sum() for j in _offers(arms)))
    if strays:
        # a policy may well be narrower than its trial was: that costs rows and misleads nobody
        what, remedy = say("trial.overlap.strays", rows=strays), say("trial.overlap.left_out")
        findings.append(
            CheckVerdict(check=TrialCheck.OVERLAP, verdict="fine", what=what, remedy=remedy)
        )
    least = min(count.effective / max(count.rows, 1) for count in counts)
    fine = say("trial.overlap.fine", share=least)
    return findings or [CheckVerdict(check=TrialCheck.OVERLAP, verdict="fine", what=fine)]


def _offers(arms: WeightedArms) -> range:
    return range(arms.reach.shape[1])
