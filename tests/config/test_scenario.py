import json
from pathlib import Path

import pytest

from incentive_engine.config.document.loading import load_policy
from incentive_engine.config.scenario import Scenario, load_scenario
from incentive_engine.errors import ConfigError

POLICY = "version: 1\nname: p\noffers: [{id: a, face_value: 1}]\n"
GOOD = """\
version: 1
name: good
policy: policy.yaml
source: world
strategies: [nobody, engine, oracle]
budgets: [50k, 100k]
draws: 4
calendar:
  waves:
    - {name: one, start: 2026-10-20 20:00, end: 2026-10-21 20:00, share: 50%}
    - {name: two, start: 2026-10-21 20:00, end: 2026-10-22 20:00, share: 50%}
"""


def read(tmp_path: Path, text: str) -> Scenario:
    (tmp_path / "policy.yaml").write_text(POLICY, encoding="utf-8")
    (tmp_path / "scenario.yaml").write_text(text, encoding="utf-8")
    return load_scenario(tmp_path / "scenario.yaml")


def refusal(tmp_path: Path, old: str, new: str) -> str:
    changed = GOOD.replace(old, new)
    assert changed != GOOD
    with pytest.raises(ConfigError) as error:
        read(tmp_path, changed)
    return str(error.value)


def test_a_scenario_reads_amounts_times_and_the_place_of_its_policy(tmp_path: Path) -> None:
    scenario = read(tmp_path, GOOD)
    assert list(scenario.budgets) == [50_000, 100_000]
    assert str(scenario.policy) == str(tmp_path / "policy.yaml")
    assert scenario.calendar is not None
    assert str(scenario.calendar.waves[0].start) == "2026-10-20 20:00:00"


def test_a_scenario_survives_the_way_through_json(tmp_path: Path) -> None:
    scenario = read(tmp_path, GOOD)
    again = Scenario.model_validate_json(scenario.model_dump_json())
    assert again.model_dump() == scenario.model_dump()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("draws: 4", "draws: 0", "scenario.yaml:7: draws: `0` is too small, expected at least 1"),
        ("engine,", "engin,", "strategies.1: `engin` is not known"),
        ("engine,", "engine, engine,", "strategies.2: `engine` stands twice"),
        ("2026-10-21 20:00, end", "2026-10-21 19:00, end", "begins before `one` ends"),
        ("end: 2026-10-21 20:00", "end: 2026-10-19 20:00", "is not after"),
        ("2026-10-22 20:00", "tomorrow", "expected a local time such as 2026-10-31 20:00"),
        ("share: 50%}\n    - ", "share: 60%}\n    - ", "add up to 110%, expected at most 100 %"),
        ("name: two", "name: one", "two waves are called `one`"),
        ("[50k, 100k]", "[100k, 50k]", "the budgets do not rise"),
        ("[50k, 100k]", "[0, 100k]", "budgets.0"),
        ("[50k, 100k]", "[]", "budgets"),
        ("source: world", "source: word", "source"),
        ("source: world", "source: trial", "`oracle` knows the truth"),
        ("source: world", "source: trial", "cannot be replayed in waves"),
        ("source: world", "source: world\ntrial: {folds: 2}", "stand beside `source: world`"),
        ("policy.yaml", "polcy.yaml", "no file `polcy.yaml`"),
        ("draws: 4", "draws: 4\nbaseline: greedy", "`greedy` is not among the strategies"),
        ("draws: 4", "draws: 4\nworld: {trials: 3}", "4 draws cannot share 3 trials evenly"),
        ("draws: 4", "draws: 4\nworld: {campain: {}}", "did you mean `campaign`?"),
        (
            "draws: 4",
            "draws: 4\nworld: {campaign: {spike: 2, spike_wave: three}}",
            "there is no wave `three`, expected a wave of the calendar",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_name(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert words in refusal(tmp_path, old, new)


def test_an_offer_that_lapses_before_it_can_be_redeemed_is_refused(tmp_path: Path) -> None:
    late = "share: 50%, valid_hours: 1, redeem_from: 2026-10-25 00:00}\n    - "
    assert "lapses before it can be redeemed" in refusal(tmp_path, "share: 50%}\n    - ", late)


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("draws: 4", "draws: 0").replace("engine", "engin")
    with pytest.raises(ConfigError) as error:
        read(tmp_path, text)
    assert len(error.value.faults) == 2


def test_what_a_scenario_sets_arrives_in_its_policy_as_it_was_written(tmp_path: Path) -> None:
    settings = {"name": "2027", "author": "no: way", "holdout": "5%", "seed": 7}
    text = GOOD + "set:\n" + "".join(f"  {key}: {json.dumps(v)}\n" for key, v in settings.items())
    scenario = read(tmp_path, text)
    policy = load_policy(scenario.policy, set_values=scenario.policy_settings)
    assert (policy.name, policy.author, policy.seed) == ("2027", "no: way", 7)
    assert policy.holdout == 0.05


def test_a_scenario_sets_lists_and_mappings_as_the_command_line_does(tmp_path: Path) -> None:
    text = GOOD + 'set: {limits: "[]", budget: "{amount: 70, basis: face}"}\n'
    scenario = read(tmp_path, text)
    policy = load_policy(scenario.policy, set_values=scenario.policy_settings)
    assert policy.limits == ()
    assert policy.budget is not None
    assert (policy.budget.amount, policy.budget.basis) == (70, "face")
