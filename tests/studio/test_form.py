"""Form and sliders are of the policy's own fields, and say in both languages what they mean."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from incentive_engine.config.document.draft import PolicyDraft, read_draft
from incentive_engine.config.document.editing import Edit
from incentive_engine.config.policy import Policy
from incentive_engine.insight.pages.plan_content import titles_of
from incentive_engine.report.titles import Named
from incentive_engine.workflow.studio.form import (
    FormField,
    FormSection,
    field_words,
    policy_form,
)
from incentive_engine.workflow.studio.sliders import policy_sliders

POLICIES = sorted((Path(__file__).parents[2] / "policies").glob("*.yaml"))
HAN = re.compile(r"[\u4e00-\u9fff]")


def draft_of(file: Path) -> PolicyDraft:
    return read_draft(file.read_text(encoding="utf-8"), file)


def form_keys() -> tuple[tuple[str, str], ...]:
    models: tuple[type[BaseModel], ...] = (Policy, *FormSection.SINGLE, *FormSection.LISTED)
    return tuple(
        (model.__name__, name)
        for model in models
        for name in model.model_fields
        if name not in FormSection.LEFT_TO_TEXT
    )


def fields_of(section: FormSection) -> Iterator[FormField]:
    yield from section.fields
    for inner in section.sections:
        yield from fields_of(inner)


def test_every_field_has_its_help_in_both_languages_and_there_is_no_other() -> None:
    english, chinese = field_words("en"), field_words("zh")
    assert [key for key in form_keys() if not english[key][1]] == []
    assert [key for key in form_keys() if not HAN.search("".join(chinese[key]))] == []
    assert {key for key in chinese if HAN.search("".join(chinese[key]))} - {*form_keys()} == set()
    assert chinese.keys() == english.keys()


@pytest.mark.parametrize("file", POLICIES, ids=lambda file: file.stem)
def test_what_a_field_shows_means_what_the_policy_says(file: Path) -> None:
    draft = draft_of(file)
    shown = [f for f in fields_of(policy_form(draft)) if f.value]
    assert len(shown) > 10
    changes = [Edit(loc=tuple(json.loads(f.loc)), value=f.value) for f in shown]
    for change in changes:
        assert draft.with_changes([change]).policy == draft.policy


@pytest.mark.parametrize("file", POLICIES, ids=lambda file: file.stem)
def test_a_slider_that_stays_where_it_is_changes_nothing(file: Path) -> None:
    draft = draft_of(file)
    for slider in policy_sliders(draft.valid(), Named(titles_of(draft.valid()), "zh")):
        assert slider.low <= slider.value <= slider.high
        value = f"{slider.value:.12g}{slider.suffix}"
        same = draft.with_changes([Edit(loc=slider.loc, value=value)]).policy
        left_out = slider.loc == ("holdout",) and draft.valid().holdout is None
        assert left_out or same == draft.policy


def test_sliders_call_columns_and_their_values_as_the_policy_does() -> None:
    policy = draft_of(POLICIES[0].with_name("double11.yaml")).valid()
    chinese = [
        str(slider.label) for slider in policy_sliders(policy, Named(titles_of(policy), "zh"))
    ]
    english = [
        str(slider.label) for slider in policy_sliders(policy, Named(titles_of(policy), "en"))
    ]
    assert any("会员等级" in label for label in chinese)
    assert any("member tier" in label for label in english)


def test_a_fault_stands_at_its_field() -> None:
    draft = read_draft(
        "version: 1\noffers: [{id: a, face_value: -1}]\nbudgte: 5\n", Path("p.yaml")
    )
    fields = {f.path: f for f in fields_of(policy_form(draft))}
    assert fields["offers.0.face_value"].faults
    assert fields["name"].faults
    assert {"budgte", "name", "offers.0.face_value"} == {found.field for found in draft.faults}
    assert [found.line for found in draft.faults] == sorted(f.line for f in draft.faults)
