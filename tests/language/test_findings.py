"""What is found in data, said in the language of the page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from incentive_engine.config.policy import Eligibility
from incentive_engine.data.trials.trial import Trial
from incentive_engine.errors import Fault
from incentive_engine.language import say
from incentive_engine.language.wording import shortened
from incentive_engine.report.content import Note
from incentive_engine.report.pages.page import render_report
from incentive_engine.uplift.diagnosis.diagnose import diagnose
from incentive_engine.uplift.diagnosis.drift import Drift, Shift
from incentive_engine.uplift.diagnosis.verdicts import CheckVerdict, TrialCheck
from report.examples import full
from uplift.trials import Known, draw, even_effects, policy_of

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


def test_every_finding_about_a_trial_is_said_in_chinese_and_kept_in_files() -> None:
    verdicts = set()
    for name, known in troubled():
        for finding in diagnose(known.trial, known.policy).findings:
            verdicts.add((finding.check, finding.verdict))
            said = finding.message.text("zh")
            assert not ENGLISH.search(re.sub(r"`[^`]*`", "", said)), (name, said)
            assert CheckVerdict.from_dict(json.loads(json.dumps(finding.to_dict()))) == finding
    assert {check for check, verdict in verdicts if verdict != "fine"} == {
        "sample ratio", "propensities", "overlap", "balance", "features", "leaks", "arm sizes",
        "outcomes",
    }  # fmt: skip


def test_drift_is_said_in_chinese() -> None:
    shifts = tuple(
        Shift(feature=f"f{i}", stability=0.9, chance=0.01, difference=1.0) for i in range(5)
    )
    for number in (0, 1, 5):
        for finding in Drift(shifts=shifts[:number], effective_share=0.1).findings:
            assert not ENGLISH.search(finding.message.text("zh")), finding.message.text("zh")


def test_a_list_names_the_first_and_counts_the_others() -> None:
    arms = [say("trial.sizes.arm", arm=f"off{at}", rows=1_000 * at) for at in (1, 2, 3)]
    left_out = say("trial.sizes.not_offered", arms=shortened(arms, 2))
    assert str(left_out).endswith("are left out: `off1` (1,000), `off2` (2,000) and 1 more")
    assert left_out.text("zh").endswith("：`off1`（1,000）、`off2`（2,000），另有 1 项")


def test_a_fault_is_said_in_the_language_as_far_as_its_parts_are_messages() -> None:
    fault = Fault(
        say("conflict.limit", name="floor"),
        say("conflict.alone", bounds=say("conflict.at_least", least=3_000.0)),
        remedy=say("conflict.drop", name="floor"),
    )
    assert str(fault) == "limit `floor`: at least 3,000: no plan keeps it; drop `floor`"
    assert fault.text("zh") == "限制 `floor`：不低于 3,000，没有方案能够满足；去掉 `floor`"


def test_warnings_and_checks_of_a_chinese_page_are_chinese() -> None:
    small = CheckVerdict(
        check=TrialCheck.ARM_SIZES,
        verdict="warning",
        what=say("trial.sizes.few", arm="off20", conversions=3, rows=60),
        remedy=say("trial.sizes.larger"),
    )
    quality = full().quality
    assert quality is not None
    check = CheckVerdict(
        check=TrialCheck.OUTCOMES,
        verdict="fine",
        what=say("trial.outcomes.fine", share=0.02, rows=1_000),
    )
    content = replace(
        full(),
        notes=(Note(message=small.message, warning=True),),
        quality=replace(quality, checks=(check,)),
    )
    page = render_report(content, lang="zh")
    assert "试验，组的大小：`off20` 的 60 行中只有 3 次转化；其效果经过收缩且不确定" in page
    assert "1,000 行中有 2.00% 转化" in page
    assert str(small.message) in render_report(content).replace("&#39;", "'")
