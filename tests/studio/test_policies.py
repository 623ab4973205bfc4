"""A policy is written by form and by text, saved whole, and nobody's change is lost."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from incentive_engine.errors import ConfigError, DataError
from incentive_engine.workflow.studio.policy_file import (
    ConflictError,
    merged,
    read_policy_text,
    save_new_policy,
    save_policy_text,
)

from .harness import Caller, page_of

TEXT = """\
# Spring
version: 1
name: spring   # as reports call it
offers:
  - {id: a, face_value: 10}
limits:
  - {name: cap, sum: cost, at_most: 80%}  # finance
  - {name: stock, sum: issued, at_most: 500}
budget:
  amount: 600  # agreed
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    (tmp_path / "spring.yaml").write_text(TEXT, encoding="utf-8")
    return tmp_path / "spring.yaml"


def test_a_save_keeps_what_somebody_else_saved_meanwhile(policy: Path) -> None:
    mine = theirs = read_policy_text(policy)
    save_policy_text(policy, TEXT.replace("600", "700"), digest=theirs.digest)
    with pytest.raises(ConflictError) as caught:
        save_policy_text(policy, TEXT.replace("80%", "60%"), digest=mine.digest)
    assert "amount: 700" in caught.value.current.text
    assert "amount: 700" in policy.read_text()


def test_a_full_disk_leaves_the_policy_as_it_was(
    policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read_policy_text(policy)

    def full(*_arguments: object, **_options: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(DataError, match="the disk is full"):
        save_policy_text(policy, "version: 2\n", digest=before.digest)
    with pytest.raises(DataError, match="the disk is full"):
        save_new_policy(policy.with_name("other.yaml"), TEXT)
    monkeypatch.undo()
    assert policy.read_text() == TEXT
    assert [path.name for path in policy.parent.iterdir()] == ["spring.yaml"]


def test_changes_of_two_people_are_both_kept_with_the_comments() -> None:
    mine = TEXT.replace("80%", "60%").replace("  - {name: stock, sum: issued, at_most: 500}\n", "")
    theirs = TEXT.replace("amount: 600", "amount: 700").replace(
        "limits:\n", "limits:\n  - {name: new, sum: cost, at_most: 5}\n"
    )
    found = merged(TEXT, mine, theirs)
    assert found.both == ()
    expected = theirs.replace("80%", "60%").replace(
        "  - {name: stock, sum: issued, at_most: 500}\n", ""
    )
    assert found.text == expected


def test_a_field_that_both_changed_is_named() -> None:
    found = merged(TEXT, TEXT.replace("600", "500"), TEXT.replace("600", "700"))
    assert found.both == ("budget.amount",)
    assert "amount: 500  # agreed" in found.text


@pytest.mark.parametrize("empty", ["", "# nothing", "[]", "7", "{"])
def test_a_text_without_keys_is_merged_with_nothing(empty: str) -> None:
    for texts in ((empty, TEXT, TEXT), (TEXT, empty, TEXT), (TEXT, TEXT, empty)):
        with pytest.raises(ConfigError):
            merged(*texts)


def test_a_fault_stands_at_its_field(planner: Caller, folder: Path) -> None:
    text = (folder / "policy.yaml").read_text()
    changes = [[["limits", 1, "at_most"], "-5"], [["budget", "basis"], "rubbish"]]
    answer = planner.send(
        "/policy/edit", {"path": "policy.yaml", "text": text, "changes": changes}
    ).json
    assert {"limits.1.at_most", "budget.basis"} <= {fault["field"] for fault in answer["faults"]}
    assert 'id="f-budget-basis" data-loc="[&#34;budget&#34;, &#34;basis&#34;]"' in answer["form"]
    assert 'aria-invalid="true"' in answer["form"]
    assert (folder / "policy.yaml").read_text() == text


def test_two_windows_and_the_disk(planner: Caller, folder: Path) -> None:
    path = folder / "twice.yaml"
    path.write_text(TEXT, encoding="utf-8")
    page = planner.get(page_of("twice.yaml")).text
    digest = page.split('data-digest="')[1].split('"')[0]
    path.write_text(TEXT.replace("600", "650"), encoding="utf-8")
    mine = TEXT.replace("80%", "70%")
    answer = planner.send("/policy/save", {"path": "twice.yaml", "text": mine, "digest": digest})
    assert answer.status == 409
    theirs = answer.json["theirs"]
    both = planner.send(
        "/policy/merge",
        {"path": "twice.yaml", "base": TEXT, "mine": mine, "theirs": theirs["text"]},
    ).json
    content = {"path": "twice.yaml", "text": both["text"], "digest": theirs["digest"]}
    assert planner.send("/policy/save", content).status == 200
    assert path.read_text() == TEXT.replace("600", "650").replace("80%", "70%")
    path.unlink()


def test_a_text_that_is_no_policy_can_be_saved_and_says_why(planner: Caller, folder: Path) -> None:
    path = folder / "odd.yaml"
    path.write_text("offers:\n\t- bad\n", encoding="utf-8")
    page = planner.get(page_of("odd.yaml"))
    assert page.status == 200
    for text in ("", "[]", "a: [", "- 1", "\x07"):
        answer = planner.send("/policy/edit", {"path": "odd.yaml", "text": text, "changes": []})
        assert answer.status == 200
        assert answer.json["faults"]
    path.unlink()


@pytest.mark.parametrize(
    "changes",
    [[1], [[[], "x"]], [[["a", None], "x"]], [[["limits", 99], "x"]], [[["name"], "{"]], 7, None],
)
def test_a_change_that_cannot_be_is_refused(
    planner: Caller, folder: Path, changes: object
) -> None:
    text = (folder / "policy.yaml").read_text()
    content = {"path": "policy.yaml", "text": text, "changes": changes}
    answer = planner.send("/policy/edit", content)
    assert answer.status == 422
    assert answer.json["faults"][0]["text"]
