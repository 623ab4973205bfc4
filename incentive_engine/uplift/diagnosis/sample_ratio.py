"""Whether arms have the sizes that their propensities say."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import chdtrc

from incentive_engine.data.trials.trial import Trial
from incentive_engine.domain import FloatArray, IntArray
from incentive_engine.language import Value, say
from incentive_engine.uplift.diagnosis.arms import WeightedArms
from incentive_engine.uplift.diagnosis.thresholds import DIAGNOSIS
from incentive_engine.uplift.diagnosis.verdicts import ArmCount, CheckVerdict, TrialCheck

Stratum = tuple[str, str]
"""A column and its value."""


def sample_ratio_findings(
    trial: Trial, arms: WeightedArms, strata: tuple[str, ...]
) -> list[CheckVerdict]:
    """Test the arms' sizes overall, and within each value of the columns in `strata`."""
    if trial.counts.get("unknown_propensity", 0) == trial.n_rows:
        what, remedy = say("trial.ratio.unstated"), say("trial.ratio.log")
        return [
            CheckVerdict(check=TrialCheck.SAMPLE_RATIO, verdict="fine", what=what, remedy=remedy)
        ]
    everyone = np.arange(trial.n_rows)
    overall = mismatch(arms, everyone)
    findings = (
        [_finding(overall, None, arms, everyone)] if overall < DIAGNOSIS.ratio_alarms else []
    )
    groups = _strata(trial.features, strata)
    tested = [(stratum, rows, mismatch(arms, rows)) for stratum, rows in groups]
    findings += [
        _finding(p_value, stratum, arms, rows)
        for stratum, rows, p_value in tested
        if p_value * len(tested) < DIAGNOSIS.ratio_alarms
    ]
    lowest = min([overall, *(min(1.0, p * len(tested)) for _, _, p in tested)])
    fine = say("trial.ratio.fine", p=lowest)
    if tested:
        fine = say("trial.ratio.fine_within", p=lowest, strata=len(tested))
    return findings or [CheckVerdict(check=TrialCheck.SAMPLE_RATIO, verdict="fine", what=fine)]


def mismatch(arms: WeightedArms, rows: IntArray) -> float:
    """Return the p-value of a chi-square test of the arms' sizes among some rows.

    Notes
    -----
    ``N_j = Σ 1{A = j} / p`` estimates how many people could have got arm j. Among those in reach
    of offer j, ``d_j = N_j - N_0`` has mean 0; its variance is ``Σ 1{A = j or 0} / p²``, and d_j
    and d_l share the control rows in reach of both. ``d' V⁻¹ d`` is chi-square with k degrees of
    freedom. The variance is that of arms which stand for the same number of people: an arm that
    lost rows would look the surer for it. Where propensities are constant this is Pearson's test
    of relative shares; arms that the policy does not offer do not disturb it.
    """
    inverse, code = arms.inverse[rows], arms.arm[rows]
    reach = arms.reach[rows].astype(np.float64)
    control = np.where(code == 0, inverse, 0.0)
    offers = np.flatnonzero(_expected(arms, rows) >= DIAGNOSIS.ratio_rows)
    if not len(offers):
        return 1.0
    reach = reach[:, offers]
    treated = np.where(code[:, None] == offers + 1, inverse[:, None], 0.0) * reach
    sizes = treated.sum(axis=0), control @ reach
    counts = np.count_nonzero(treated, axis=0), (control > 0) @ reach
    factor = _to_common_size(sizes, counts)
    variance = (reach * np.square(control)[:, None]).T @ reach
    variance *= np.sqrt(np.outer(factor[1], factor[1]))
    variance += np.diag(factor[0] * np.square(treated).sum(axis=0))
    difference = sizes[0] - sizes[1]
    statistic = float(difference @ np.linalg.lstsq(variance, difference, rcond=None)[0])
    return float(chdtrc(len(offers), statistic))


def _to_common_size(
    sizes: tuple[FloatArray, FloatArray], counts: tuple[IntArray, FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Return the factors that make two sides stand for equally many people, by all rows of both.

    Parameters
    ----------
    sizes, counts
        (k,) people that the rows of either side stand for, and rows; a side without rows keeps 1.
    """
    sides = [side.clip(1e-300) for side in sizes]
    chances = counts[0] / sides[0] + counts[1] / sides[1]
    people = (counts[0] + counts[1]) / chances.clip(1e-300)
    empty = np.minimum(*sizes) <= 0
    first, second = (np.where(empty, 1.0, people / side) for side in sides)
    return first, second


def _expected(arms: WeightedArms, rows: IntArray) -> FloatArray:
    """Return the rows that each offer should have among some rows, or control if fewer, (k,)."""
    all_rows = np.arange(len(arms.arm))
    expected = []
    for offer in range(arms.reach.shape[1]):
        here, everywhere = (arms.reach[part, offer] for part in (rows, all_rows))
        share = min(len(arms.treated(offer)), len(arms.control(offer))) / max(everywhere.sum(), 1)
        expected.append(share * here.sum())
    return np.array(expected)


def propensity_findings(
    trial: Trial, arms: WeightedArms, counts: tuple[ArmCount, ...]
) -> list[CheckVerdict]:
    """Say which arms stand for more, or fewer, people than could have got them."""
    findings = []
    hidden = sum(trial.ignored_rows.values())
    contradiction = DIAGNOSIS.size_factor
    for code, count in enumerate(counts):
        inverse = arms.inverse[arms.arm == code]
        noise = float(np.sqrt((inverse * (inverse - 1)).sum() + 1))
        excess = count.stands_for - (trial.n_rows + hidden)
        lack = 0.0 if hidden else count.reach - count.stands_for
        if max(excess, lack) <= DIAGNOSIS.size_errors * noise:
            continue
        refused = count.stands_for > contradiction * (trial.n_rows + hidden) or (
            code == 0 and lack > 0 and count.stands_for * contradiction < count.reach
        )
        people = count.reach if lack > 0 else trial.n_rows + hidden
        findings.append(
            CheckVerdict(
                check=TrialCheck.PROPENSITIES,
                verdict="refusal" if refused else "warning",
                what=say(
                    "trial.propensities.off",
                    arm=count.arm,
                    stands_for=count.stands_for,
                    people=people,
                ),
                remedy=say("trial.propensities.log"),
            )
        )
    fine = say("trial.propensities.fine")
    return findings or [CheckVerdict(check=TrialCheck.PROPENSITIES, verdict="fine", what=fine)]


def _strata(features: pd.DataFrame, columns: tuple[str, ...]) -> list[tuple[Stratum, IntArray]]:
    groups: list[tuple[Stratum, IntArray]] = []
    # a column with more values than this makes no strata
    most_strata = 20
    for column in columns:
        values = features[column]
        codes, levels = pd.factorize(values)
        if pd.api.types.is_float_dtype(values) or not 1 < len(levels) <= most_strata:
            continue
        groups += [
            ((column, str(level)), np.flatnonzero(codes == code))
            for code, level in enumerate(levels)
        ]
    return groups


def _finding(
    p_value: float, stratum: Stratum | None, arms: WeightedArms, rows: IntArray
) -> CheckVerdict:
    sizes = np.bincount(arms.arm[rows], weights=arms.inverse[rows], minlength=len(arms.names))
    largest, smallest = int(sizes.argmax()), int(sizes.argmin())
    values: dict[str, Value] = {
        "p": p_value,
        "small": arms.names[smallest],
        "ratio": float(sizes[smallest] / sizes[largest]),
        "large": arms.names[largest],
    }
    what = say("trial.ratio.off", **values)
    if stratum is not None:
        what = say("trial.ratio.off_within", column=stratum[0], level=stratum[1], **values)
    # P-value below which rows are missing or arms not dealt out by lot: effects are worthless
    not_random = 1e-12
    return CheckVerdict(
        check=TrialCheck.SAMPLE_RATIO,
        verdict="refusal" if p_value < not_random else "warning",
        what=what,
        remedy=say("trial.ratio.lost"),
    )
