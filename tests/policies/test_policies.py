"""Every policy that the program ships is one that a planner can copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from incentive_engine.config.document.loading import load_policy
from incentive_engine.synthetic.sample import MARKETS, sample_campaign

FOLDER = Path(__file__).parents[2] / "policies"
FILES = sorted(FOLDER.glob("*.yaml"))
MINE = [FOLDER / f"{name}.yaml" for name in ("double11", "plain_budget", "winback")]


def test_the_three_policies_are_there() -> None:
    assert set(MINE) <= set(FILES)


@pytest.mark.parametrize("path", MINE, ids=lambda path: path.stem)
def test_a_policy_fits_its_sample_campaign(path: Path) -> None:
    policy = load_policy(path)
    assert policy.budget is not None
    assert policy.holdout
    sample = policy.data.sample
    assert sample is not None
    small = sample_campaign(sample.model_copy(update={"users": 500, "trial_rows": 500}))
    assert set(policy.attribute_columns) <= set(small.users.columns)
    offers = MARKETS[sample.name].offers
    assert policy.offer_ids == tuple(offer.id for offer in offers)
    assert [o.face_value for o in policy.offers] == [o.face_value for o in offers]
    for where in [r.where for r in policy.eligibility] + [limit.where for limit in policy.limits]:
        for column, condition in where.items():
            if isinstance(condition, tuple):
                assert set(condition) <= set(small.users[column].dropna())


@pytest.mark.parametrize("path", MINE, ids=lambda path: path.stem)
def test_every_line_of_a_policy_is_explained(path: Path) -> None:
    explained = False
    for line in path.read_text(encoding="utf-8").splitlines():
        assert len(line) <= 105
        is_heading = line.rstrip().endswith(":")
        explained = "#" in line or bool(line.strip() and explained) or is_heading
        assert explained or not line.strip(), line
