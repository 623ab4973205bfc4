from __future__ import annotations

import copy
import errno
import os
import pickle
from pathlib import Path

import pytest

from incentive_engine.config.access.location import local
from incentive_engine.config.conditions import Range
from incentive_engine.config.document.loading import load_policy, policy_from_mapping
from incentive_engine.config.policy import Policy
from incentive_engine.errors import ConfigError

from .policies import CORRECT, changed, faults, load, write


def test_a_correct_file_loads_in_the_words_of_its_models(tmp_path: Path) -> None:
    policy = load(tmp_path, CORRECT)
    assert policy.offer_ids == ("off10", "off20")
    assert policy.attribute_columns == ("tier", "spend_12m", "region")
    assert policy.measures == ("conversion", "cost", "spend")
    assert policy.budget is not None
    assert policy.budget.amount == 200_000
    assert policy.eligibility[0].where == {"tier": ("88VIP",)}


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    assert load_policy(write(tmp_path, b"\xef\xbb\xbf" + CORRECT.encode())).name == "small"


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "null\n"])
def test_an_empty_file_says_so(tmp_path: Path, text: str) -> None:
    (message,) = faults(tmp_path, text)
    assert message.startswith("plan.yaml")
    assert "empty" in message or "single value" in message


@pytest.mark.parametrize(("text", "kind"), [("- a\n", "a list"), ("\nabc\n", "a single value")])
def test_a_file_without_keys_says_what_it_holds(tmp_path: Path, text: str, kind: str) -> None:
    (message,) = faults(tmp_path, text)
    assert f"the file holds {kind}, expected keys and values" in message


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, CORRECT)
    with pytest.raises(
        ConfigError, match=r"plam\.yaml: there is no such file; did you mean `plan\.yaml`"
    ):
        load_policy(tmp_path / "plam.yaml")
    with pytest.raises(ConfigError, match="no directory"):
        load_policy(tmp_path / "away" / "plan.yaml")


def test_a_directory_is_no_policy(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a directory, expected a YAML file"):
        load_policy(tmp_path)


def test_a_file_without_permission_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ConfigError, match=r"plan\.yaml: cannot be read: access is not permitted"):
        load_policy(write(tmp_path, CORRECT))


def test_text_that_is_not_utf_8_names_its_line(tmp_path: Path) -> None:
    (message,) = faults(tmp_path, b"version: 1\nname: d\xe9j\xe0\n")
    assert message == "plan.yaml:2: the file is not UTF-8 text; save it as UTF-8"
    (message,) = faults(tmp_path, CORRECT.encode("utf-16"))
    assert "not UTF-8" in message


def test_a_syntax_error_comes_with_the_repeated_keys_before_it(tmp_path: Path) -> None:
    (message,) = faults(tmp_path, "version: 1\nname: [a\nseed: 5\n")
    assert message.startswith("plan.yaml:2: a `{` or `[` is opened here")


def test_eight_mistakes_give_exactly_eight_faults_in_the_order_of_the_lines(
    tmp_path: Path,
) -> None:
    found = faults(
        tmp_path,
        """\
version: 1
name: eight
holdout: 150%
offers:
  - {id: off10, face_value: 10}
  - {id: off10, face_value: 20}
  - {id: off50, face_valu: 50}
limits:
  - {name: a, sum: cost, where: {tier: {at_leest: 5}}, at_most: 5}
  - {name: b, sum: conversion, at_most: 5%}
  - {name: c, sum: issued, offers: [of10], at_most: many}
seed: 1
seed: 2
""",
    )
    assert [message.partition(": ")[0] for message in found] == [
        f"plan.yaml:{line}" for line in (3, 6, 7, 9, 10, 11, 11, 13)
    ]
    assert [message.split(": ")[1] for message in found] == [
        "holdout", "offers.1.id", "offers.2.face_valu", "limits.0.where.tier.at_leest",
        "limits.1.at_most", "limits.2.at_most", "limits.2.offers.0", "seed",
    ]  # fmt: skip


def test_data_paths_start_from_the_folder_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("users.csv", "in/trial.parquet"):
        (tmp_path / name).touch()
    text = CORRECT + "data: {users: users.csv, trial: ./in/../in/trial.parquet}\n"
    data = load(tmp_path, text).data
    assert data.users == local(tmp_path / "users.csv")
    assert data.trial == local(tmp_path / "in" / "trial.parquet")
    absolute = CORRECT + f"data: {{users: {tmp_path}/users.csv}}\n"
    assert load(tmp_path, absolute).data.users == local(tmp_path / "users.csv")


def test_missing_data_files_are_faults_with_their_lines(tmp_path: Path) -> None:
    text = CORRECT + "data:\n  users: users.csv\n  trial: 't/*.parquet'\n"
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_policy(path)
    line = CORRECT.count("\n") + 2
    end = (
        "expected a CSV or Parquet file, a folder of Parquet, or a database's URL;"
        " paths start from the folder of this file"
    )
    assert [str(fault).partition("plan.yaml")[2] for fault in caught.value.faults] == [
        f":{line}: data.users: no file `users.csv`, {end}",
        f":{line + 1}: data.trial: no file is called like `t/*.parquet`, {end}",
    ]
    assert load_policy(path, require_data=False).data.users == local(tmp_path / "users.csv")


def test_sections_with_nothing_under_them_are_left_out(tmp_path: Path) -> None:
    text = "version: 1\nname: a\noffers: [{id: o, face_value: 1}]\nlimits:\neligibility:\ndata:\n"
    policy = load(tmp_path, text)
    assert policy.limits == ()
    assert policy.data.users is None


def test_locate_names_file_line_and_field(tmp_path: Path) -> None:
    policy = load(tmp_path, CORRECT)
    line = CORRECT[: CORRECT.index("{name: floor")].count("\n") + 1
    assert policy.locate(("limits", 0, "where", "tier")) == (
        f"{tmp_path}/plan.yaml:{line}: limits.0.where.tier"
    )
    assert policy.locate(("limits", 0, "where", "new")).endswith(f":{line}: limits.0.where.new")
    changed_on_the_way = policy.with_budget(amount=5)
    assert changed_on_the_way.locate(("name",)) == f"{tmp_path}/plan.yaml:2: name"


def test_a_policy_that_no_file_gave_is_located_by_its_fields() -> None:
    policy = Policy.model_validate({"version": 1, "name": "a", "offers": [offer("o")]})
    assert policy.locate(("limits", 2)) == "policy: limits.2"


def offer(name: str) -> dict[str, object]:
    return {"id": name, "face_value": 10}


RICH = changed(
    "  - {name: roi, ratio: [spend, cost], at_least: 1.5}\n",
    """\
  - {name: roi, ratio: [spend, cost], at_least: 1.5}
  - {name: many, sum: issued, where: {age: {at_least: 60, below: 90}, vip: true}, at_most: 7.5%}
  - {name: few, sum: cost, where: {code: [1, 2.5, "007"]}, at_most: 0.1%, report_only: true}
""",
).replace("{88VIP: 3}", "{88VIP: 3, 7: 2, true: 0.5}")


def test_a_policy_survives_the_way_through_json(tmp_path: Path) -> None:
    (tmp_path / "users.csv").touch()
    policy = load(tmp_path, RICH + "data: {users: users.csv}\n")
    written = policy.model_dump(mode="json")
    again = Policy.model_validate(written)
    assert again == policy
    assert again.model_dump(mode="json") == written
    assert policy_from_mapping(written, where="manifest.json") == policy
    assert Policy.model_validate_json(policy.model_dump_json()) == policy
    assert isinstance(again.limits[3].where["age"], Range)
    assert again.data.users == local(tmp_path / "users.csv")


def test_a_policy_can_be_copied_and_sent_to_another_process(tmp_path: Path) -> None:
    policy = load(tmp_path, RICH)
    for other in (copy.deepcopy(policy), pickle.loads(pickle.dumps(policy))):  # noqa: S301 - own
        assert other == policy
        assert other.locate(("name",)) == policy.locate(("name",))


def test_policies_of_one_meaning_dump_equal(tmp_path: Path) -> None:
    one = load(tmp_path, CORRECT)
    text = CORRECT
    for old, new in (
        ("maximise: conversion", "maximise: {conversion: 1.0}"),
        ("where: {tier: 88VIP}}\n", "where: {tier: [88VIP]}}\n"),
        ("{amount: 200k}", "{basis: expected, amount: 20万}"),
        ("holdout: 0.05", "holdout: 5%\nassignment: at_most_one\ncurrency: CNY\ndata:"),
        ("at_least: 25%", "at_least: 25.0%"),
        ("power: 0.25", "clip: [0.1, 10], power: 25e-2"),
    ):
        assert old in text
        text = text.replace(old, new)
    two = load(tmp_path, text)
    assert two.model_dump(mode="json") == one.model_dump(mode="json")
    assert two == one


def test_a_wrong_mapping_reports_every_problem_at_its_own_name() -> None:
    wrong = {"version": 1, "nam": "a", "offers": [offer("o"), offer("o")], "seed": "x"}
    with pytest.raises(ConfigError) as caught:
        policy_from_mapping(wrong, where="manifest.json")
    assert [fault.where for fault in caught.value.faults] == [
        "manifest.json: seed", "manifest.json: nam", "manifest.json: offers.1.id",
    ]  # fmt: skip


def test_a_changed_budget_is_checked_anew(tmp_path: Path) -> None:
    policy = load(tmp_path, CORRECT)
    assert policy.with_budget(amount="50万", basis="face").budget is not None
    with pytest.raises(ConfigError) as caught:
        policy.with_budget(amount=-1, basis="fase")
    amount, basis = map(str, caught.value.faults)
    assert amount == "budget: amount: `-1` is too small, expected at least 0"
    assert basis.startswith("budget: basis: `fase` is not known, expected `expected`, `face`")
    assert basis.endswith("; did you mean `face`?")
