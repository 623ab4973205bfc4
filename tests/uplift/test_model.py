"""Statistical tests on whole models; each states how often it fails by chance."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from incentive_engine import knobs
from incentive_engine.config.offer import Offer
from incentive_engine.config.policy import Eligibility, Policy
from incentive_engine.data.users import UserTable
from incentive_engine.errors import DataError
from incentive_engine.knobs import MemoryParams
from incentive_engine.uplift.doubly_robust.plan_value import plan_value
from incentive_engine.uplift.evaluation.evaluation import evaluate
from incentive_engine.uplift.model import EffectModel, fit, predict
from incentive_engine.uplift.storage import load_model, save_model

from .trials import BASE, BASKET, Known, draw, even_effects, ladder_effects, make_trial, policy_of

HILLSTROM = (
    Path(os.environ.get("INCENTIVE_DATA", Path(__file__).parents[3] / "shared" / "data"))
    / "hillstrom.parquet"
)


def users_of(known: Known) -> UserTable:
    return UserTable(user_id=known.trial.user_id, features=known.trial.features)


@pytest.fixture(scope="module")
def ladder() -> tuple[Known, EffectModel]:
    known = draw(policy_of(10, 20, ladder="cash"), ladder_effects, n=40_000, seed=1)
    return known, fit(known.trial, known.policy, seed=5)


@pytest.fixture(scope="module")
def even() -> tuple[Known, EffectModel]:
    known = draw(policy_of(10, 20), even_effects(0.0, 0.0), n=20_000, seed=2, unit_cost=0.1)
    return known, fit(known.trial, known.policy, seed=5)


def test_known_effects_are_recovered(ladder: tuple[Known, EffectModel]) -> None:
    """Over 20 seeds the correlation was 0.90 ± 0.03; averages miss by 4 errors in 1e-4."""
    known, model = ladder
    table = predict(model, users_of(known), known.policy)
    effects = model.models.converting.effects
    assert effects.test.found
    for j, offer in enumerate(known.policy.offer_ids):
        fitted = table[f"conversion__{offer}"].to_numpy()
        assert np.corrcoef(fitted, known.effect[:, j])[0, 1] > 0.75
        error = effects.averages.standard_error[j]
        assert abs(fitted.mean() - known.effect[:, j].mean()) < 4 * error


def test_spend_and_cost_are_recovered(ladder: tuple[Known, EffectModel]) -> None:
    known, model = ladder
    table = predict(model, users_of(known), known.policy)
    for j, (offer, face) in enumerate(zip(known.policy.offer_ids, (10, 20), strict=True)):
        spend = known.effect[:, j].mean() * BASKET
        cost = (BASE + known.effect[:, j].mean()) * 0.8 * face
        assert table[f"spend__{offer}"].mean() == pytest.approx(spend, rel=0.35)
        assert table[f"cost__{offer}"].mean() == pytest.approx(cost, rel=0.1)


def test_linear_algebra_of_a_fit_uses_one_thread_whatever_the_caller_uses() -> None:
    """Where there are thirty features more, two threads make other last digits."""
    known = draw(policy_of(10, 20), even_effects(0.02, 0.04), n=2_000, seed=3)
    noise = np.random.default_rng(4).normal(size=(2_000, 30))
    more = pd.DataFrame(noise, columns=[f"noise_{n}" for n in range(30)])
    trial = dataclasses.replace(known.trial, features=known.trial.features.join(more))
    said = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            model = fit(trial, known.policy, seed=5)
            users = UserTable(user_id=trial.user_id, features=trial.features)
            said.append(predict(model, users, known.policy))
    one, two = said
    pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_costs_are_whole_millionths_and_never_negative(
    ladder: tuple[Known, EffectModel],
) -> None:
    known, model = ladder
    table = predict(model, users_of(known), known.policy)
    for offer in known.policy.offer_ids:
        micros = table[f"cost__{offer}"].to_numpy() * 1e6
        assert (micros >= 0).all()
        assert micros == pytest.approx(np.round(micros), abs=1e-6)


def test_deeper_coupons_never_work_worse(ladder: tuple[Known, EffectModel]) -> None:
    known, model = ladder
    table = predict(model, users_of(known), known.policy)
    assert (table["conversion__off20"] >= table["conversion__off10"] - 1e-12).all()


def test_a_plan_promises_what_it_brings(ladder: tuple[Known, EffectModel]) -> None:
    """The doubly robust estimate misses the truth by 4 standard errors in 6e-5 of trials."""
    known, model = ladder
    effect = model.out_of_fold.estimates.conversion
    choice = np.where(effect[:, 1] > np.median(effect[:, 1]), 1, -1)
    value = plan_value(known.trial, model.out_of_fold.estimates, choice)
    truth = known.effect[:, 1][choice == 1].sum() / len(choice)
    assert abs(value.conversion.value - truth) < 4 * value.conversion.standard_error


def test_the_doubly_robust_interval_is_narrower(ladder: tuple[Known, EffectModel]) -> None:
    known, model = ladder
    value = plan_value(
        known.trial, model.out_of_fold.estimates, np.ones(known.trial.n_rows, dtype=int)
    )
    assert value.conversion.standard_error < value.ipw["conversion"].standard_error
    assert value.spend.standard_error < value.ipw["spend"].standard_error


def test_without_effects_users_hardly_differ(even: tuple[Known, EffectModel]) -> None:
    """In 12 seeds users' spread was up to 1.7 errors of the average; in this one claims fail."""
    known, model = even
    table = predict(model, users_of(known), known.policy)
    error = model.models.converting.effects.averages.standard_error
    assert table["conversion__off10"].std() < 0.2 * error[0]


def test_without_effects_the_gain_contains_zero(even: tuple[Known, EffectModel]) -> None:
    known, model = even
    best = model.out_of_fold.estimates.conversion.argmax(axis=1)
    value = plan_value(known.trial, model.out_of_fold.estimates, best).conversion
    assert value.low < 0 < value.high


def test_a_unit_cost_is_the_cost_of_everyone(even: tuple[Known, EffectModel]) -> None:
    known, model = even
    table = predict(model, users_of(known), known.policy)
    assert (table["cost__off10"] == 0.1).all()


def test_scores_of_a_saved_model_are_the_same_bytes(
    ladder: tuple[Known, EffectModel], tmp_path: Path
) -> None:
    known, model = ladder
    save_model(model, tmp_path)
    again = load_model(tmp_path)
    users = users_of(known)
    pd.testing.assert_frame_equal(
        predict(again, users, known.policy), predict(model, users, known.policy), check_exact=True
    )
    pd.testing.assert_frame_equal(
        again.out_of_fold.to_frame(), model.out_of_fold.to_frame(), check_exact=True
    )
    assert {file.suffix for file in tmp_path.iterdir()} == {".txt", ".json", ".parquet"}


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    known = draw(policy_of(10), even_effects(0.05), n=3_000, seed=3)
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        save_model(fit(known.trial, known.policy, seed=1), tmp_path / name)
    files = [(tmp_path / "first" / f.name, f) for f in (tmp_path / "second").iterdir()]
    assert len(files) > 10
    assert all(one.read_bytes() == other.read_bytes() for one, other in files)


def test_users_in_another_order_get_the_same_scores(ladder: tuple[Known, EffectModel]) -> None:
    known, model = ladder
    users = users_of(known)
    order = np.random.default_rng(0).permutation(known.trial.n_rows)
    shuffled = UserTable(
        user_id=users.user_id.iloc[order].reset_index(drop=True),
        features=users.features.iloc[order].reset_index(drop=True),
    )
    straight = predict(model, users, known.policy).iloc[order].reset_index(drop=True)
    pd.testing.assert_frame_equal(predict(model, shuffled, known.policy), straight)


def test_blocks_of_users_get_the_scores_of_the_whole(
    ladder: tuple[Known, EffectModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    known, model = ladder
    users = UserTable(user_id=known.trial.user_id, features=known.trial.features)
    whole = predict(model, users, known.policy)
    monkeypatch.setattr(knobs, "MEMORY", MemoryParams(scored_users=700))
    blocks = predict(model, users, known.policy)
    pd.testing.assert_frame_equal(blocks, whole, rtol=1e-9, atol=1e-12)


def test_a_policy_may_use_some_of_the_offers_in_any_order(
    ladder: tuple[Known, EffectModel],
) -> None:
    known, model = ladder
    users = users_of(known)
    every = predict(model, users, known.policy)
    one = predict(model, users, policy_of(20))
    assert one["conversion__off20"].equals(every["conversion__off20"])
    assert "conversion__off10" not in one


def test_an_offer_that_no_trial_tried_is_refused(ladder: tuple[Known, EffectModel]) -> None:
    known, model = ladder
    with pytest.raises(DataError, match="off99: the model's trial did not try this offer"):
        predict(model, users_of(known), policy_of(10, 99))


def test_an_evaluation_says_what_the_model_is_worth(ladder: tuple[Known, EffectModel]) -> None:
    """Each truth lies within 4 standard errors but for 6e-5."""
    known, model = ladder
    found = evaluate(model, known.trial, known.policy)
    for j, offer in enumerate(found.offers):
        truth = known.effect[:, j].mean()
        assert abs(offer.conversion.value - truth) < 4 * offer.conversion.standard_error
        assert offer.effect_slope is not None
        assert abs(offer.effect_slope.value - 1) < 4 * offer.effect_slope.standard_error
        assert offer.qini.low > 0
        assert len(offer.effect_groups) == len(offer.cost_groups) == 5
    assert found.curve.points[-1].share == 1
    assert found.to_dict()["heterogeneity"]["found"] is True


def test_another_trial_cannot_judge_the_model(ladder: tuple[Known, EffectModel]) -> None:
    _, model = ladder
    other = draw(policy_of(10, 20, ladder="cash"), ladder_effects, n=1_000, seed=9)
    with pytest.raises(DataError, match="not the trial that the model was trained on"):
        evaluate(model, other.trial, other.policy)


def test_a_member_offer_is_learned_from_members_alone() -> None:
    """The truth is 0.05 for members; the average has a standard error of 0.01."""
    n = 20_000
    policy = Policy(
        version=1,
        name="members",
        offers=(Offer(id="all", face_value=10), Offer(id="member", face_value=20)),
        eligibility=(Eligibility(offers=("member",), where={"region": ("north",)}),),
    )
    rng = np.random.default_rng(4)
    region = rng.choice(["north", "south"], n)
    member = region == "north"
    shares = np.where(member[:, None], [0.2, 0.4, 0.4], [0.7, 0.3, 0.0])
    arm = (rng.random(n)[:, None] > np.cumsum(shares, axis=1)[:, :-1]).sum(axis=1)
    base = np.where(member, 0.3, 0.1)
    buys = rng.random(n) < base + np.array([0.0, 0.02, 0.05])[arm]
    trial = make_trial(
        policy,
        pd.DataFrame({"region": region, "x": rng.normal(size=n)}),
        arm,
        buys,
        buys * 50.0,
        np.where(arm > 0, 1.0, 0.0),
        shares[np.arange(n), arm],
    )
    model = fit(trial, policy, seed=1)
    averages = model.models.converting.effects.averages
    assert averages.standard_error[1] < 0.015
    assert np.abs(averages.effect - [0.02, 0.05]) == pytest.approx(
        0, abs=4 * averages.standard_error.max()
    )
    users = UserTable(user_id=trial.user_id, features=trial.features)
    scored = predict(model, users, policy)
    assert scored["conversion__member"].notna().all()
    assert "region" in scored


def test_an_arm_with_few_rows_is_refused_by_name() -> None:
    known = draw(
        policy_of(10, 20),
        even_effects(0.0, 0.0),
        n=400,
        seed=0,
        propensity=np.tile([0.5, 0.495, 0.005], (400, 1)),
    )
    with pytest.raises(DataError, match="the arm `off20` has"):
        fit(known.trial, known.policy, seed=0)


@pytest.mark.parametrize("n", [100, 1_000])
def test_tiny_trials_give_finite_scores(n: int) -> None:
    known = draw(policy_of(10, 20), even_effects(0.1, 0.1), n=n, seed=0)
    model = fit(known.trial, known.policy, seed=0)
    table = predict(model, users_of(known), known.policy)
    assert np.isfinite(table.drop(columns="user_id").to_numpy(dtype=float)).all()


def test_a_trial_without_conversions_promises_nothing() -> None:
    known = draw(policy_of(10), even_effects(-BASE), n=500, seed=0)
    nobody = make_trial(
        known.policy,
        known.trial.features,
        known.trial.arm,
        np.zeros(500),
        np.zeros(500),
        np.zeros(500),
        known.trial.propensity,
    )
    table = predict(fit(nobody, known.policy, seed=0), users_of(known), known.policy)
    assert table["conversion__off10"].to_numpy() == pytest.approx(0, abs=1e-6)
    assert table["spend__off10"].to_numpy() == pytest.approx(0, abs=1e-6)


def test_features_that_tell_nothing_leave_the_constant(tmp_path: Path) -> None:
    known = draw(policy_of(10), even_effects(0.1), n=1_000, seed=0)
    features = pd.DataFrame({"constant": np.ones(1_000), "empty": np.full(1_000, np.nan)})
    trial = make_trial(
        known.policy,
        features,
        known.trial.arm,
        known.trial.conversion,
        known.trial.spend,
        known.trial.cost,
        known.trial.propensity,
    )
    model = fit(trial, known.policy, seed=0)
    users = UserTable(user_id=trial.user_id, features=features)
    scores = predict(model, users, known.policy)
    assert len(set(scores["conversion__off10"])) == 1
    save_model(model, tmp_path)
    assert predict(load_model(tmp_path), users, known.policy).equals(scores)


@pytest.mark.skipif(not HILLSTROM.exists(), reason="needs hillstrom.parquet in $INCENTIVE_DATA")
def test_hillstrom_behaves() -> None:
    """All regularised methods tie there: the plan is not far below the constant's."""
    frame = pd.read_parquet(HILLSTROM)
    arms = ["No E-Mail", "Mens E-Mail", "Womens E-Mail"]
    policy = Policy(
        version=1,
        name="hillstrom",
        offers=(Offer(id="mens", face_value=0.1), Offer(id="womens", face_value=0.1)),
    )
    arm = frame["segment"].map(arms.index).to_numpy()
    trial = make_trial(
        policy,
        frame.drop(columns=["segment", "visit", "conversion", "spend"]),
        arm,
        frame["conversion"].to_numpy(),
        frame["spend"].to_numpy(),
        np.where(arm > 0, 0.1, 0.0),
        np.full(len(frame), 1 / 3),
    )
    model = fit(trial, policy, seed=0)
    found = evaluate(model, trial, policy)
    assert found.offers[0].conversion.value == pytest.approx(0.0068, abs=0.0005)
    assert (model.out_of_fold.estimates.cost == 0.1).all()
    for comparison in found.curve.points:
        assert comparison.difference.high > 0
