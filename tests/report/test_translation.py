"""What is found in data, said in the language of the page."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from string import Formatter

import numpy as np

from incentive_engine.config.policy import Eligibility
from incentive_engine.data.trial import Trial
from incentive_engine.report import Note, TrialCheck, render_report
from incentive_engine.report.translation import translated
from incentive_engine.uplift.diagnosis.diagnose import diagnose
from incentive_engine.uplift.diagnosis.drift import Drift, Shift
from uplift.trials import Known, draw, even_effects, policy_of

from .examples import full

CATALOGUE = Path(__file__).parents[2] / "incentive_engine/report/catalogue/zh_found.toml"
ENGLISH = re.compile(r"\b[a-z]+ [a-z]+ [a-z]+\b")
"""Three words in a row that nobody would call a name."""


def a_trial(n: int = 2_000) -> Known:
    return draw(policy_of(10, 20), even_effects(0.02, 0.04), n=n, seed=0)


def keep(trial: Trial, kept: np.ndarray) -> Trial:
    fields = ("arm", "conversion", "spend", "cost", "propensity")
    return replace(
        trial,
        user_id=trial.user_id.iloc[kept].reset_index(drop=True),
        features=trial.features.iloc[kept].reset_index(drop=True),
        **{name: getattr(trial, name)[kept] for name in fields},
    )


def troubled() -> Iterator[tuple[str, Known]]:
    """Yield trials in which something is wrong, and one in which nothing is."""
    known = a_trial()
    trial, arm, features = known.trial, known.trial.arm, known.trial.features
    noise = np.random.default_rng(0).normal(size=trial.n_rows)

    def wrong(changed: Trial, **policy: object) -> Known:
        return replace(known, trial=changed, policy=known.policy.model_copy(update=policy))

    yield "sound", known
    tilted = features.assign(got=(arm == 1) / 4 + noise)
    lost = keep(replace(trial, features=tilted), np.flatnonzero((arm != 2) | (noise < 0.2)))
    counts = {"cost_in_control": 7, "spend_without_conversion": 9, "negative_spend": 2_000}
    yield "lost rows", wrong(replace(lost, counts=counts, cost=lost.cost * 2))
    leak = features.assign(basket=trial.conversion * 9 + noise)
    small = keep(replace(trial, features=leak), np.setdiff1d(np.arange(2_000), few(arm)))
    yield "small arm", wrong(replace(small, counts={"unknown_propensity": small.n_rows}))
    told = features.assign(got=(arm == 1) + noise / 9)
    crowd = (np.arange(trial.n_rows) % 1_000).astype(str)
    stray = np.where(np.arange(trial.n_rows) == 7, "oops", crowd)
    idle = trial.features.assign(same=1.0, crowd=crowd, stray=stray)
    yield "features", wrong(replace(trial, features=idle))
    halved = replace(trial, features=told, propensity=trial.propensity / 2)
    yield "no conversions", wrong(replace(halved, conversion=np.zeros(trial.n_rows)))
    yield "old arms", wrong(replace(trial, ignored_rows={f"off{at}": at for at in range(7)}))
    yield "all converted", wrong(replace(trial, conversion=np.ones(trial.n_rows)))
    spends = features.assign(basket=(noise > 1) * 9 + noise)
    yield "spend", wrong(replace(trial, features=spends, spend=np.where(noise > 1, 5.0, 0.0)))
    rule = Eligibility(offers=("off20",), where={"region": ("north",)})
    yield "strays", wrong(trial, eligibility=(rule,))
    rare = np.where(np.arange(2_000) % 2 == 0, 0.005, 0.5)
    shares = np.column_stack([1 - rare, rare])
    yield "overlap", draw(policy_of(10), even_effects(0.05), n=2_000, seed=0, propensity=shares)


def few(arm: np.ndarray) -> np.ndarray:
    return np.flatnonzero(arm == 2)[60:]


def test_every_finding_about_a_trial_is_said_in_chinese() -> None:
    verdicts = set()
    for name, known in troubled():
        for finding in diagnose(known.trial, known.policy).findings:
            verdicts.add((finding.check, finding.verdict))
            whole = f"{finding.what}; {finding.remedy}".removesuffix("; ")
            for text in (whole, str(finding)):
                said = translated("zh", text)
                assert not ENGLISH.search(re.sub(r"`[^`]*`", "", said)), (name, said)
    assert {check for check, verdict in verdicts if verdict != "fine"} == {
        "sample ratio", "propensities", "overlap", "balance", "features", "leaks", "arm sizes",
        "outcomes",
    }  # fmt: skip


def test_drift_and_what_data_lack_are_said_in_chinese() -> None:
    shifts = tuple(
        Shift(feature=f"f{i}", stability=0.9, chance=0.01, difference=1.0) for i in range(5)
    )
    for number in (1, 5):
        for text in Drift(shifts=shifts[:number], effective_share=0.1).warnings:
            assert not ENGLISH.search(translated("zh", text)), translated("zh", text)
    for text in (
        "users.csv: left out as features, because the trial does not have them: a, b",
        "policy.yaml:4: eligibility.0: no row of scores has tier = 88VIP",
        "scores: `cost__off` is missing for every user, so nobody can get the offer",
    ):
        assert not ENGLISH.search(translated("zh", text)), translated("zh", text)


def test_patterns_carry_over_what_they_found() -> None:
    sentences = tomllib.loads(CATALOGUE.read_text("utf-8"))["sentence"]
    for each in sentences:
        names = [
            {name for _, name, _, _ in Formatter().parse(each[code]) if name is not None}
            for code in ("en", "zh")
        ]
        assert names[0] == names[1], each
    assert len({each["en"] for each in sentences}) == len(sentences)


def test_what_nobody_has_translated_stays_as_it_is() -> None:
    assert translated("zh", "a sentence; of a later version") == "a sentence; of a later version"


def test_warnings_and_checks_of_a_chinese_page_are_chinese() -> None:
    text = (
        "trial, arm sizes: `off20` has 3 conversions in 60 rows; "
        "its effect is shrunk and uncertain; bring a larger trial"
    )
    quality = full().quality
    assert quality is not None
    check = TrialCheck(name="outcomes", verdict="fine", text="2.00% of 1,000 rows converted")
    content = replace(
        full(),
        notes=(Note(key="text", values=(("text", text),), warning=True),),
        quality=replace(quality, checks=(check,)),
    )
    page = render_report(content, lang="zh")
    assert "试验，组的大小：`off20` 的 60 行中只有 3 次转化；其效果经过收缩且不确定" in page
    assert "1,000 行中有 2.00% 转化" in page
    assert text in render_report(content).replace("&#39;", "'")
