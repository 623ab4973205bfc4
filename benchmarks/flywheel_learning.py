"""Do campaigns with logged propensities give back known effects, and does naive pooling not?

Each world is a market of so many users with a hidden liking that also drives who buys anyway. A
plan gives offers to those with high scores, for whom effects are larger, and some explore. Three
campaigns are planned, run and learned through the real files; then the average effect of each
offer in the newest campaign is estimated from the trial rows, and from everybody, planned users
too, as if the plan had not chosen them.

Every other world drifts by one point of effect per campaign.

    python benchmarks/flywheel_learning.py --worlds 100

With `--levels`, worlds of three campaigns of 1,500 rows whose base rates differ (3, 10 and 30 %,
and 10 % in each); the model is learned twice, knowing each campaign's level and not, and each
offer's average effect over all rows is estimated doubly robustly, out of fold.

    python benchmarks/flywheel_learning.py --levels --worlds 100
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd

import incentive_engine as ie
from incentive_engine.data.sources import open_source
from incentive_engine.data.trials.trial import read_trial
from incentive_engine.measurement.learning.folder import write_lesson
from incentive_engine.measurement.learning.trial_rows import lesson_of
from incentive_engine.run.directory import RunFiles, RunRecord, write_run, written_policy
from incentive_engine.uplift.doubly_robust.plan_value import plan_value
from incentive_engine.uplift.model import estimate, fit
from incentive_engine.uplift.nuisance import outcome_models
from incentive_engine.uplift.nuisance.event_probability import campaign_levels
from incentive_engine.uplift.trial_design import campaign_averages, reach_of
from incentive_engine.workflow.plan_campaign import allocation_rows

OFFERS = ("off5", "off10")
MEAN = {"off5": 0.03, "off10": 0.06}
CAMPAIGNS = 3


def policy() -> ie.Policy:
    return ie.Policy.model_validate(
        {
            "version": 1,
            "name": "world",
            "offers": [{"id": "off5", "face_value": 5}, {"id": "off10", "face_value": 10}],
            "holdout": 0.05,
            "explore": 0.1,
            "seed": 5,
        }
    )


def saved(plan: ie.Plan, table: ie.ScoreTable, directory: Path) -> Path:
    """Write a run directory without its page, whose drawing would take most of the time."""
    nothing = {"spend": None, "cost": 0.0, "roi": None, "marginal_roi": None}
    mandate = {"min_roi": None, "min_marginal_roi": None, "cap": None}
    written = plan.policy.model_dump(mode="json")
    files = RunFiles(
        allocation=allocation_rows(plan.stated, plan.solved),
        scores=table.to_blocks(1 << 20),
        certificate={**plan.certificate.to_dict(), "returns": nothing, "mandate": mandate},
        frozen_policy=plan.frozen.to_dict(),
        prices=plan.prices.to_dict(),
        policy_text=written_policy(written),
        report="<!doctype html>",
        record=RunRecord(policy=written, policy_file=None, seed=plan.policy.seed),
    )
    write_run(directory, files)
    return directory


def one_world(seed: int, users: int, drift: float) -> list[dict[str, float | bool]]:
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        level = dict.fromkeys(OFFERS, 0.0)
        naive = {arm: [0.0, 0] for arm in (*OFFERS, "control")}
        for campaign in range(CAMPAIGNS):
            for offer in OFFERS:
                level[offer] += drift * rng.normal() if campaign else 0.0
            liking = rng.beta(2, 2, users)
            base = 0.04 + 0.1 * liking
            effect = {o: MEAN[o] * (0.5 + liking) + level[o] for o in OFFERS}
            frame = pd.DataFrame({"user_id": np.arange(users) + campaign * users})
            frame["liking"] = liking
            for offer in OFFERS:
                frame[f"conversion__{offer}"] = effect[offer]
                frame[f"cost__{offer}"] = float(offer[3:]) * (base + effect[offer])
                frame[f"spend__{offer}"] = 100 * effect[offer]
            asked = policy().model_copy(update={"seed": seed * CAMPAIGNS + campaign})
            table = ie.ScoreTable.from_frame(frame, asked)
            plan = ie.allocate(table, asked, budget=users * 0.25)
            run = saved(plan, table, folder / f"campaign{campaign}")
            rows = plan.to_frame()
            given = rows["offer_id"].fillna("control")
            chance = base + sum((given == o) * effect[o] for o in OFFERS)
            bought = rng.random(users) < chance
            outcomes = pd.DataFrame({"user_id": frame["user_id"], "conversion": bought * 1})
            outcomes["spend"], outcomes["cost"] = bought * 100.0, 0.0
            outcomes.to_parquet(folder / "outcomes.parquet", index=False)
            frame[["user_id", "liking"]].to_parquet(folder / "users.parquet", index=False)
            lesson = lesson_of(run, folder / "outcomes.parquet", users=folder / "users.parquet")
            write_lesson(lesson, folder / "trials")
            for arm, sums in naive.items():
                sums[0] += float(bought[given == arm].sum())
                sums[1] += int((given == arm).sum())
        truth = {o: MEAN[o] + level[o] for o in OFFERS}
        trial = read_trial(open_source(folder / "trials"), policy(), None)
        averages = campaign_averages(trial, reach_of(trial, ()), trial.conversion)
    found: list[dict[str, float | bool]] = []
    for place, offer in enumerate(OFFERS):
        now = averages.now(place)
        assert now is not None
        (buyers, rows_of), (without, others) = naive[offer], naive["control"]
        plain = buyers / rows_of - without / others
        found.append(
            {
                "offer": place,
                "truth": truth[offer],
                "learned": now.value,
                "covered": now.low <= truth[offer] <= now.high,
                "naive": plain,
                "half": (now.high - now.low) / 2,
            }
        )
    return found


def pooled_world(seed: int, bases: tuple[float, ...]) -> list[dict[str, float | bool | str]]:
    """Learn one pooled trial with and without its campaigns' levels."""
    rng = np.random.default_rng([seed, 7])
    rows = ROWS * len(bases)
    campaign = np.repeat(np.arange(len(bases)), ROWS)
    liking = rng.beta(2, 2, rows)
    arm = rng.integers(0, 3, rows)
    effect = np.column_stack([MEAN[offer] * (0.5 + liking) for offer in OFFERS])
    base = np.array(bases)[campaign] * (0.6 + 0.8 * liking)
    bought = rng.random(rows) < base + np.column_stack([0 * liking, effect])[range(rows), arm]
    frame = pd.DataFrame({
        "user_id": np.arange(rows), "campaign": [f"c{place}" for place in campaign],
        "offer": np.array(["control", *OFFERS])[arm], "propensity": 1 / 3,
        "conversion": bought * 1, "spend": bought * 100.0, "cost": 0.0,
        "liking": liking, "noise": rng.normal(size=rows),
    })  # fmt: skip
    trial = ie.Trial.from_frame(frame, policy())
    new = pd.DataFrame({"liking": rng.beta(2, 2, 2_000), "noise": rng.normal(size=2_000)})
    truth = np.column_stack([MEAN[offer] * (0.5 + new["liking"]) for offer in OFFERS])
    found: list[dict[str, float | bool | str]] = []
    for way in ("levels", "one level"):
        with mock.patch.object(outcome_models, "campaign_levels", LEVELS[way]):
            model = fit(trial, policy(), seed=seed)
        said = estimate(model, new, where="users").conversion
        for place in range(len(OFFERS)):
            everybody = np.full(rows, place, dtype=np.int16)
            value = plan_value(trial, model.out_of_fold.estimates, everybody).conversion
            mean = float(effect[:, place].mean())
            found.append({
                "way": way, "error": value.value - mean, "half": (value.high - value.low) / 2,
                "covered": value.low <= mean <= value.high,
                "rmse": float(np.sqrt(np.mean((said[:, place] - truth[:, place]) ** 2))),
            })  # fmt: skip
    return found


LEVELS = {
    "levels": campaign_levels,
    "one level": lambda rows, *, event, log_odds: 0.0 * event,  # noqa: ARG005
}
ROWS = 1_500


def compare_levels(worlds: int) -> None:
    print("base rates, way  covered  error  half width  users' error (root mean squares, ‰)")
    for bases in ((0.03, 0.1, 0.3), (0.1, 0.1, 0.1)):
        rows = pd.DataFrame([x for seed in range(worlds) for x in pooled_world(seed, bases)])
        for way in LEVELS:
            mine = rows[rows["way"] == way]
            error = 1000 * np.sqrt((mine["error"] ** 2).mean())
            print(
                f"{bases!s:15} {way:9}  {mine['covered'].mean():6.1%}  {error:6.2f}  "
                f"{1000 * mine['half'].mean():6.2f}  {1000 * mine['rmse'].mean():6.2f}"
            )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--worlds", type=int, default=100)
    parser.add_argument("--users", type=int, default=8_000)
    parser.add_argument("--levels", action="store_true", help="campaigns of different base rates")
    options = parser.parse_args()
    if options.levels:
        compare_levels(options.worlds)
        return
    print("drift  offer  covered  bias of learn  bias of naive pooling  half width (all ‰)")
    for odd, drift in enumerate((0.0, 0.01)):
        seeds = range(odd, options.worlds, 2)
        rows = pd.DataFrame([x for seed in seeds for x in one_world(seed, options.users, drift)])
        for place, offer in enumerate(OFFERS):
            mine = rows[rows["offer"] == place]
            bias, naive = ((mine[n] - mine["truth"]) * 1000 for n in ("learned", "naive"))
            error = bias.std() / np.sqrt(len(mine))
            print(
                f"{drift:5.3f}  {offer:5}  {mine['covered'].mean():7.1%}  "
                f"{bias.mean():6.2f} ± {1.96 * error:4.2f}  "
                f"{naive.mean():6.2f} ± {1.96 * naive.std() / np.sqrt(len(mine)):4.2f}  "
                f"{1000 * mine['half'].mean():6.2f}"
            )


if __name__ == "__main__":
    main()
