"""The verdict of a plan against worlds whose truth is known."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from incentive_engine.insight.pages.advice import smaller_budget, trial_state
from incentive_engine.language import say
from incentive_engine.report.evidence import Response, ResponsePoint, ResponseRow
from incentive_engine.uplift.diagnosis.verdicts import CheckVerdict, TrialCheck
from uplift.trials import Effects, draw, even_effects, people, policy_of

from .conftest import Incentive

POLICY = """\
version: 1
name: world
data: {{users: users.csv, trial: trial.csv}}
offers: [{{id: off10, face_value: 10}}]
budget: {{amount: {amount}}}
holdout: 0.1
{more}
"""


def world(
    folder: Path, effects: Effects, *, amount: float, more: str = "", lost: float = 0
) -> Path:
    """Write a campaign of 4,000 users with a trial of 8,000 rows whose effects are known."""
    trial = draw(policy_of(10), effects, n=8_000, seed=1).trial
    frame = trial.features.assign(
        user_id=[f"t{row}" for row in range(trial.n_rows)],
        offer=np.where(trial.arm == 1, "off10", "control"),
        conversion=trial.conversion,
        spend=trial.spend,
        cost=trial.cost,
        propensity=trial.propensity,
    )
    dropped = (trial.arm == 1) & (np.random.default_rng(2).random(trial.n_rows) < lost)
    frame[~dropped].to_csv(folder / "trial.csv", index=False)
    users = people(4_000, np.random.default_rng(3))
    users.assign(user_id=range(4_000)).to_csv(folder / "users.csv", index=False)
    file = folder / "world.yaml"
    file.write_text(POLICY.format(amount=amount, more=more), encoding="utf-8")
    return file


def verdict(incentive: Incentive, policy: Path, folder: Path, *options: str) -> tuple[str, str]:
    """Return kind and sentence as the page shows them."""
    done = incentive("allocate", policy, "--out", "run", *options)
    assert done.returncode == 0, done.stderr
    page = (folder / "run" / "report.html").read_text(encoding="utf-8")
    found = re.search(r'<p class="verdict (\w+)">(.*?)</p>', page)
    assert found is not None
    return found[1], found[2]


def test_offers_that_change_nothing_are_not_advised(incentive: Incentive, tmp_path: Path) -> None:
    """By the 95 % interval, one of forty such trials would say otherwise."""
    policy = world(tmp_path, even_effects(0.0), amount=2_000)
    kind, _ = verdict(incentive, policy, tmp_path)
    assert kind in {"stop", "doubt"}


def test_offers_that_work_are_advised_while_the_money_is_short(
    incentive: Incentive, tmp_path: Path
) -> None:
    policy = world(tmp_path, even_effects(0.1), amount=1_500)
    kind, sentence = verdict(incentive, policy, tmp_path)
    assert kind == "run"
    assert sentence.startswith("Run it: ")


def test_a_trial_that_lost_rows_supports_no_plan(incentive: Incentive, tmp_path: Path) -> None:
    policy = world(tmp_path, even_effects(0.1), amount=1_500, lost=0.2)
    accepted = ("--accept", "trial-sample-ratio")
    kind, sentence = verdict(incentive, policy, tmp_path, *accepted)
    assert kind == "stop"
    assert "in doubt (sample ratio" in sentence


def test_offers_that_cost_more_than_they_earn_are_advised_against(
    incentive: Incentive, tmp_path: Path
) -> None:
    """A purchase earns 80 cents at this margin, and each coupon that brings it costs euros."""
    policy = world(tmp_path, even_effects(0.1), amount=1_500, more="margin: 1%")
    kind, sentence = verdict(incentive, policy, tmp_path)
    assert kind == "stop"
    assert "at a margin of 1% it loses money" in sentence


def response(values: list[float], *, spend: list[float] | None = None) -> Response:
    """Return what budgets of 10, 20, … bring."""
    return Response(
        exact=True,
        groups=("",),
        points=tuple(
            ResponsePoint(
                budget=10.0 * (i + 1),
                spent=10.0 * (i + 1),
                value=value,
                price=1.0,
                groups=(
                    ResponseRow(
                        value=value,
                        treated=1,
                        conversions=value,
                        spend=spend[i] if spend else None,
                        cost=10.0 * (i + 1),
                    ),
                ),
            )
            for i, value in enumerate(values)
        ),
        smallest=1,
    )


def test_thin_money_is_what_brings_less_than_a_third_of_the_average() -> None:
    assert smaller_budget(response([50, 90, 93, 100]), 40, margin=None) == pytest.approx(
        (0.45, 0.82)  # 18 of 100 for 55 of 100
    )
    assert smaller_budget(response([25, 50, 75, 100]), 40, margin=None) == (1.0, 1.0)


def test_with_a_margin_money_is_thin_where_it_costs_more_than_it_earns() -> None:
    curve = response([40, 70, 90, 100], spend=[100, 160, 190, 200])
    share, kept = smaller_budget(curve, 40, margin=0.25)
    assert share == pytest.approx(0.5)  # the third ten brings 30 × 0.25 = 7.5
    assert kept == pytest.approx(0.7)
    assert smaller_budget(curve, 40, margin=0.4)[0] == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("check", "state"),
    [(TrialCheck.BALANCE, "doubt"), (TrialCheck.LEAKS, "doubt"), (TrialCheck.ARM_SIZES, "care")],
)
def test_a_trial_is_in_doubt_where_arms_are_unlike_or_a_feature_knows_too_much(
    check: TrialCheck, state: str
) -> None:
    warning = CheckVerdict(check=check, verdict="warning", what=say("trial.balance.nothing"))
    assert trial_state([warning]) == state
    assert trial_state([]) == "fine"


def test_limits_that_cannot_hold_are_named_after_what_is_wrong_with_the_trial(
    incentive: Incentive, tmp_path: Path
) -> None:
    floor = "limits: [{name: floor, sum: cost, at_least: 90000}]"
    policy = world(tmp_path, even_effects(0.1), amount=1_500, more=floor, lost=0.2)
    done = incentive("allocate", policy, "--accept", "trial-sample-ratio")
    assert done.returncode == 1
    trial, *_, way_out = done.stderr.splitlines()
    assert trial.startswith("warning: trial, sample ratio: arm sizes do not fit")
    assert way_out.startswith("the cheapest way out: ")
