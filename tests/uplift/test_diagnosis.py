from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from incentive_engine.config.inputs import Features
from incentive_engine.config.policy import Eligibility
from incentive_engine.data.trials.trial import Trial
from incentive_engine.errors import DataError
from incentive_engine.language import language
from incentive_engine.uplift.diagnosis.diagnose import diagnose
from incentive_engine.uplift.diagnosis.verdicts import Diagnosis, acceptable
from incentive_engine.uplift.model import fit

from .trials import Known, draw, even_effects, policy_of

TRIALS = 150


def a_trial(seed: int, n: int = 2_000) -> Known:
    return draw(policy_of(10, 20), even_effects(0.02, 0.04), n=n, seed=seed)


def keep(trial: Trial, kept: np.ndarray) -> Trial:
    fields = ("arm", "conversion", "spend", "cost", "propensity")
    return replace(
        trial,
        user_id=trial.user_id.iloc[kept].reset_index(drop=True),
        features=trial.features.iloc[kept].reset_index(drop=True),
        **{name: getattr(trial, name)[kept] for name in fields},
    )


def with_feature(known: Known, name: str, values: np.ndarray) -> Known:
    trial = known.trial
    return replace(known, trial=replace(trial, features=trial.features.assign(**{name: values})))


def found(known: Known, check: str) -> list[str]:
    diagnosis = diagnose(known.trial, known.policy)
    return [finding.verdict for finding in diagnosis.findings if finding.check == check]


def refusal(diagnosis: Diagnosis) -> str:
    with pytest.raises(DataError) as caught:
        diagnosis.refuse()
    return str(caught.value)


def test_a_fair_lottery_raises_one_false_alarm_in_ninety() -> None:
    """0.1 % for arm sizes and 1 % for balance; more than 7 of 150 come up with 7e-4."""
    policy = policy_of(10, 20)
    strata = Eligibility(offers=("off10",), where={"region": ("north", "south", "east")})
    policy = policy.model_copy(update={"eligibility": (strata,)})
    alarms = 0
    for seed in range(TRIALS):
        diagnosis = diagnose(a_trial(seed).trial, policy)
        diagnosis.refuse()
        alarms += bool(diagnosis.warnings)
    assert alarms <= 7


def test_a_small_arm_among_rare_levels_raises_no_more_false_alarms() -> None:
    """0.1 % for arm sizes and 1 % for balance; more than 4 of 60 come up with 6e-4."""
    policy = policy_of(10)
    rule = Eligibility(offers=("off10",), where={"town": tuple(f"town {at}" for at in range(20))})
    policy = policy.model_copy(update={"eligibility": (rule,)})
    n, alarms = 10_000, 0
    for seed in range(60):
        shares = np.tile([0.95, 0.05], (n, 1))
        known = draw(policy, even_effects(0.05), n=n, seed=seed, propensity=shares)
        rng = np.random.default_rng(1_000 + seed)
        shops = pd.DataFrame(rng.random((n, 100)) < 0.045).add_prefix("shop ")
        towns = pd.Series(rng.integers(0, 20, n)).map("town {}".format).rename("town")
        features = pd.concat([known.trial.features, towns, shops], axis=1)
        alarms += bool(diagnose(replace(known.trial, features=features), policy).warnings)
    assert alarms <= 4


def test_every_check_has_a_name_in_the_report() -> None:
    words = language("en").words
    named = diagnose(a_trial(0).trial, policy_of(10, 20)).findings
    assert {f"checks.{finding.check.replace(' ', '_')}" for finding in named} <= set(words)


def test_rows_lost_from_one_arm_are_a_sample_ratio_mismatch() -> None:
    known = a_trial(0, n=20_000)
    rng = np.random.default_rng(1)
    lost = (known.trial.arm == 2) & (rng.random(20_000) < 0.1)
    thinned = replace(known, trial=keep(known.trial, ~lost))
    warnings = diagnose(thinned.trial, known.policy).warnings
    assert "sample ratio" in str(warnings[0])
    assert "`off20` has 8" in str(warnings[0])  # 89.4 % of the weight of the largest arm


def test_rows_lost_in_one_stratum_are_named_by_it() -> None:
    known = a_trial(0, n=20_000)
    rng = np.random.default_rng(1)
    north = known.trial.features["region"].eq("north").to_numpy()
    lost = (known.trial.arm == 2) & north & (rng.random(20_000) < 0.25)
    gained = (known.trial.arm == 2) & ~north
    rest = np.flatnonzero(gained)[: lost.sum()]
    rows = np.concatenate([np.flatnonzero(~lost), rest])  # sizes are right overall
    rule = Eligibility(offers=("off10",), where={"region": ("north", "south", "east")})
    policy = known.policy.model_copy(update={"eligibility": (rule,)})
    ratios = [
        finding
        for finding in diagnose(keep(known.trial, rows), policy).findings
        if finding.check == "sample ratio"
    ]
    assert any("region is north" in str(finding.what) for finding in ratios)
    assert all(" where region" in str(finding.what) for finding in ratios)


def test_propensities_that_contradict_the_shares_are_refused() -> None:
    known = a_trial(0)
    halved = replace(known.trial, propensity=known.trial.propensity / 2)
    assert "stand for" in refusal(diagnose(halved, known.policy))


def test_propensities_of_another_arm_are_refused_by_name() -> None:
    known = a_trial(0)
    wrong = np.where(known.trial.arm == 2, 0.1, known.trial.propensity)
    text = refusal(diagnose(replace(known.trial, propensity=wrong), known.policy))
    assert "rows of `off20` stand for" in text
    assert "but 2,000 could have got it" in text


def test_one_row_per_arm_is_no_trial_but_no_crash_either() -> None:
    known = a_trial(0)
    first = np.array([np.flatnonzero(known.trial.arm == arm)[0] for arm in range(3)])
    tiny = keep(known.trial, first)
    tiny = replace(tiny, conversion=np.array([1.0, 0.0, 1.0]))
    assert "chance explains" in refusal(diagnose(tiny, known.policy))
    diagnose(tiny, known.policy).refuse(accepted=("trial-arm-sizes",))
    with pytest.raises(DataError, match="expected at least 10"):
        fit(tiny, known.policy, seed=0)


def test_a_trial_with_59_buyers_is_refused_and_one_with_many_is_not() -> None:
    known = a_trial(0, n=600)
    assert int(known.trial.conversion.sum()) < 100
    text = refusal(diagnose(known.trial, known.policy))
    assert "conversions in 600 rows" in text
    assert "--accept trial-arm-sizes" in text
    diagnose(a_trial(0, n=6000).trial, known.policy).refuse()


def test_a_trial_that_lost_a_third_of_an_arm_is_refused_until_somebody_answers_for_it() -> None:
    known = a_trial(0, n=20_000)
    lost = (known.trial.arm == 1) & (np.arange(20_000) % 3 == 0)
    diagnosis = diagnose(keep(known.trial, ~lost), known.policy)
    text = refusal(diagnosis)
    assert "do not fit the propensities" in text
    assert "--accept trial-sample-ratio" in text
    diagnosis.refuse(accepted=("trial-sample-ratio",))


def test_a_trial_whose_arms_are_other_people_is_refused() -> None:
    known = a_trial(0, n=20_000)
    rich = known.trial.features["thrift"].to_numpy() > 0
    rng = np.random.default_rng(5)
    gone = (known.trial.arm == 1) & rich & (rng.random(20_000) < 0.3)
    assert "other people than control" in refusal(diagnose(keep(known.trial, ~gone), known.policy))


def test_nobody_can_answer_for_a_trial_in_which_nobody_bought() -> None:
    known = a_trial(0)
    nobody = replace(known.trial, conversion=np.zeros(known.trial.n_rows))
    diagnosis = diagnose(nobody, known.policy)
    with pytest.raises(DataError, match="nobody converted"):
        diagnosis.refuse(accepted=acceptable())


def test_an_offer_that_not_everybody_could_get_needs_a_rule_that_says_so() -> None:
    known = a_trial(0, n=10_000)
    north = known.trial.features["region"].eq("north").to_numpy()
    trial = keep(known.trial, ~((known.trial.arm == 2) & ~north))
    text = refusal(diagnose(trial, known.policy))
    assert "`region = north` tells who got `off20`" in text
    assert "`eligibility`" in text
    rule = Eligibility(offers=("off20",), where={"region": ("north",)})
    diagnose(trial, known.policy.model_copy(update={"eligibility": (rule,)})).refuse()


def test_unstated_propensities_leave_nothing_to_compare_arm_sizes_with() -> None:
    known = a_trial(0)
    unstated = replace(known.trial, counts={"unknown_propensity": known.trial.n_rows})
    text = str(next(iter(diagnose(unstated, known.policy).findings)).what)
    assert "no propensities are stated" in text


def test_arms_that_differ_in_a_feature_are_out_of_balance() -> None:
    known = a_trial(0, n=20_000)
    thrift = known.trial.features["thrift"] + 0.1 * (known.trial.arm == 1)
    tilted = with_feature(known, "thrift", thrift.to_numpy())
    diagnosis = diagnose(tilted.trial, known.policy)
    assert any("`thrift` for `off10`" in text for text in map(str, diagnosis.warnings))
    assert diagnosis.imbalances[0].feature == "thrift"
    assert diagnosis.imbalances[0].difference == pytest.approx(0.1, abs=0.07)


@pytest.mark.parametrize("kind", ["number", "category", "missing"])
def test_a_feature_that_tells_the_arm_is_refused(kind: str) -> None:
    known = a_trial(0)
    got = known.trial.arm == 1
    values = {
        "number": got + 0.3 * np.random.default_rng(0).normal(size=len(got)),
        "category": np.where(got, "opened", "none"),
        "missing": np.where(got, 1.0, np.nan),
    }[kind]
    leaking = with_feature(known, "opened", values)
    text = refusal(diagnose(leaking.trial, known.policy))
    assert "`opened" in text
    assert "deny" in text


def test_a_feature_that_knows_the_outcome_is_refused_unless_it_is_vouched_for() -> None:
    known = a_trial(0)
    noise = np.random.default_rng(0).normal(size=known.trial.n_rows)
    basket = np.where(known.trial.conversion > 0, 50 + noise, noise)
    leaking = with_feature(known, "basket", basket)
    assert "`basket` alone tells who converts" in refusal(diagnose(leaking.trial, known.policy))
    denied = known.policy.model_copy(update={"features": Features(deny=("basket",))})
    diagnose(leaking.trial, denied).refuse()
    allowed = known.policy.model_copy(update={"features": Features(allow=("basket", "age"))})
    diagnosis = diagnose(leaking.trial, allowed)
    diagnosis.refuse()
    assert any("basket" in text for text in map(str, diagnosis.warnings))


def test_ten_thousand_levels_are_told_of_and_do_not_pass_for_a_leak() -> None:
    known = a_trial(0, n=20_000)
    level = (np.random.default_rng(0).permutation(20_000) % 10_000).astype(str)
    diagnosis = diagnose(with_feature(known, "shop", level).trial, known.policy)
    diagnosis.refuse()
    assert len(diagnosis.warnings) == 1
    assert "`shop` has 10,000 levels, most of them too rare" in str(diagnosis.warnings[0])


def test_a_stray_word_among_numbers_is_told_of() -> None:
    known = a_trial(0)
    months = np.arange(known.trial.n_rows) % 12
    text = pd.Series(months).astype("str")
    assert not diagnose(
        with_feature(known, "months", text.to_numpy()).trial, known.policy
    ).warnings
    text[3] = "unknown"
    warnings = diagnose(
        with_feature(known, "months", text.to_numpy()).trial, known.policy
    ).warnings
    assert len(warnings) == 1
    assert "`months` holds numbers but for 1 of 2,000 values" in str(warnings[0])


def test_small_arms_are_named_with_the_effect_that_they_can_show() -> None:
    known = a_trial(0)
    few = np.flatnonzero(known.trial.arm == 2)[60:]
    small = keep(known.trial, np.setdiff1d(np.arange(known.trial.n_rows), few))
    small = replace(small, counts={"unknown_propensity": small.n_rows})
    texts = [
        text for text in map(str, diagnose(small, known.policy).warnings) if "arm sizes" in text
    ]
    assert len(texts) == 1
    assert "`off20`" in texts[0]


def test_numbers_beyond_those_of_models_are_compared_with_nobody() -> None:
    known = a_trial(0)
    huge = np.where(np.arange(known.trial.n_rows) % 50, 1e300, -1e300)
    diagnosis = diagnose(with_feature(known, "huge", huge).trial, known.policy)
    diagnosis.refuse()
    assert all(found.feature != "huge" for found in diagnosis.imbalances)


def test_rates_of_arms_are_those_of_the_people_that_they_stand_for() -> None:
    n = 20_000
    buyer = np.arange(n) % 4 == 0
    shares = np.where(buyer[:, None], [0.2, 0.8], [0.8, 0.2])
    known = draw(policy_of(10), even_effects(0.0), n=n, seed=0, propensity=shares)
    trial = replace(known.trial, conversion=buyer.astype(float))
    control, offer = diagnose(trial, known.policy).arms
    assert control.rate == pytest.approx(0.25, abs=0.02)
    assert offer.rate == pytest.approx(0.25, abs=0.02)
    assert control.conversions / control.rows < 0.1


def test_arms_that_the_policy_does_not_offer_are_named() -> None:
    known = a_trial(0)
    trial = replace(known.trial, ignored_rows={"off2O": 11, "off90": 1_200})
    diagnosis = diagnose(trial, known.policy)
    assert any("`off90` (1,200), `off2O` (11)" in str(found.what) for found in diagnosis.findings)
    assert not diagnosis.warnings


def test_arms_of_a_few_rows_show_no_effect_and_are_written_all_the_same() -> None:
    known = a_trial(0)
    few = np.concatenate([np.flatnonzero(known.trial.arm == arm)[:6] for arm in range(3)])
    tiny = keep(known.trial, few)
    half = replace(tiny, conversion=np.where(np.arange(18) % 2, 1.0, 0.0))
    diagnosis = diagnose(half, known.policy)
    small = [
        text
        for text in map(str, diagnosis.warnings)
        if "`off20` has 3 conversions in 6 rows" in text
    ]
    assert "and shows no effect" in small[0]
    content = json.loads(json.dumps(diagnosis.to_dict(), allow_nan=False))
    assert content["arms"][2]["detectable"] is None


def test_few_rows_that_stand_for_many_are_an_overlap_warning() -> None:
    n = 20_000
    rare = np.where(np.arange(n) % 2 == 0, 0.005, 0.5)
    shares = np.column_stack([1 - 2 * rare + rare, rare])
    known = draw(policy_of(10), even_effects(0.05), n=n, seed=0, propensity=shares)
    assert found(known, "overlap") == ["warning"]


@pytest.mark.parametrize("outcome", [0.0, 1.0])
def test_a_trial_in_which_all_end_alike_is_refused(outcome: float) -> None:
    known = a_trial(0)
    alike = replace(known.trial, conversion=np.full(known.trial.n_rows, outcome))
    text = refusal(diagnose(alike, known.policy))
    assert ("everybody converted" if outcome else "nobody converted") in text


@pytest.mark.parametrize("stated", [0.5, 1.0])
def test_propensities_by_which_control_stands_for_few_people_are_refused(stated: float) -> None:
    known = a_trial(0)
    wrong = replace(known.trial, propensity=np.full(known.trial.n_rows, stated))
    assert "rows of `control` stand for" in refusal(diagnose(wrong, known.policy))


def test_a_feature_that_knows_spend_alone_is_refused() -> None:
    known = a_trial(0)
    rng = np.random.default_rng(0)
    bought = rng.random(known.trial.n_rows) < 0.05
    spend = np.where(bought, 80 * rng.random(known.trial.n_rows), 0.0)
    leaking = with_feature(known, "basket", spend + rng.random(known.trial.n_rows))
    changed = replace(leaking.trial, spend=spend)
    assert "`basket` alone tells who spends" in refusal(diagnose(changed, known.policy))


def test_what_an_offer_cost_beyond_its_face_value_is_told() -> None:
    known = a_trial(0)
    paid = np.where(known.trial.arm == 2, 20.5, known.trial.cost)
    warnings = diagnose(replace(known.trial, cost=paid), known.policy).warnings
    texts = [str(warning) for warning in warnings]
    assert len(texts) == 1
    assert "`off20` cost more than its face value 20.00 in " in texts[0]
    assert "up to 20.50" in texts[0]


def test_spend_that_contradicts_conversions_is_told() -> None:
    known = a_trial(0)
    changed = replace(
        known.trial,
        spend=-known.trial.spend,
        counts={"spend_without_conversion": 12, "negative_spend": int(known.trial.spend.sum())},
    )
    first, second = map(str, diagnose(changed, known.policy).warnings)
    assert "something was spent without a conversion in 12 of 2,000 rows" in first
    assert "with any is negative" in second


def test_constant_and_missing_features_are_no_reason_to_refuse() -> None:
    known = a_trial(0)
    features = pd.DataFrame({"same": np.ones(2_000), "gone": np.full(2_000, np.nan)})
    diagnosis = diagnose(replace(known.trial, features=features), known.policy)
    diagnosis.refuse()
    assert len(diagnosis.warnings) == 1
    assert "left out: `same`, `gone`;" in str(diagnosis.warnings[0])


def test_an_offer_that_alone_has_no_costs_is_named() -> None:
    known = a_trial(3)
    object.__setattr__(known.trial, "cost", np.where(known.trial.arm == 1, 0.0, known.trial.cost))
    texts = [
        str(finding.what)
        for finding in diagnose(known.trial, known.policy).findings
        if finding.check == "outcomes" and finding.verdict == "warning"
    ]
    assert len(texts) == 1
    assert texts[0].startswith("`off10` cost nothing, though ")


def test_a_trial_without_any_costs_is_not_called_contradictory() -> None:
    known = a_trial(3)
    object.__setattr__(known.trial, "cost", np.zeros(known.trial.n_rows))
    assert found(known, "outcomes") == ["fine"]
