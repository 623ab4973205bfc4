"""A policy as a form: every field with its kind, its help and its faults, from the models."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import ClassVar, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from incentive_engine.config.document.draft import PolicyDraft
from incentive_engine.config.document.editing import flow_text
from incentive_engine.config.document.places import Loc, dotted
from incentive_engine.config.document.reference import field_texts
from incentive_engine.config.document.words import bare, describe
from incentive_engine.config.inputs import Data, Features
from incentive_engine.config.offer import Offer
from incentive_engine.config.policy import (
    Approval,
    Budget,
    Eligibility,
    Limit,
    Objective,
    Policy,
    WeightFactor,
)
from incentive_engine.config.schedule.campaign import Campaign
from incentive_engine.errors import Fault
from incentive_engine.language import Code

Kind = Literal["text", "choice", "switch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    """One value to fill in.

    Attributes
    ----------
    loc
        The way to it, as JSON.
    path
        The same with dots, as faults name it.
    model, name
        By which the catalogue knows its title and help.
    value
        As YAML on one line; empty where it is left out.
    takes
        What may stand there, in words.
    """

    loc: str
    path: str
    model: str
    name: str
    kind: Kind
    value: str
    takes: str
    required: bool
    choices: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FormSection:
    """Fields that belong together, and sections inside.

    Attributes
    ----------
    label
        What an item of a list is called; empty for a section of the policy itself.
    written
        Whether the policy has it.
    added
        The way to, and the text of, an item to add; None where nothing can be added.
    item
        Whether it is an item, which can be removed.
    """

    LEFT_TO_TEXT: ClassVar = frozenset({"version", "history", "titles", "signature", "columns"})
    """Fields that only the text has: nobody changes them often, and they are long."""
    SINGLE: ClassVar[tuple[type[BaseModel], ...]] = (
        Approval, Budget, Campaign, Data, Features, Objective,
    )  # fmt: skip
    """Models that are a section each."""
    LISTED: ClassVar[Mapping[type[BaseModel], str]] = {
        Offer: "{id: off10, face_value: 10}",
        WeightFactor: "{column: tier, values: {gold: 2}}",
        Eligibility: "{offers: [], where: {}}",
        Limit: "{name: new limit, sum: cost, at_most: 50%}",
    }
    """Models that are a section for each item of a list, and what a new one begins with."""

    loc: str
    path: str
    model: str
    name: str
    label: str = ""
    written: bool
    fields: tuple[FormField, ...] = ()
    sections: tuple[FormSection, ...] = ()
    added: tuple[str, str] | None = None
    item: bool = False
    faults: tuple[Fault, ...] = ()


def policy_form(draft: PolicyDraft) -> FormSection:
    """Return the form of a draft, with each fault at its field."""
    return _Form(draft).section(Policy, draft.written or {}, (), name="policy")


class _Form:
    def __init__(self, draft: PolicyDraft) -> None:
        self._faults: dict[str, list[Fault]] = {}
        for placed in draft.faults:
            self._faults.setdefault(placed.field, []).append(placed.fault)

    def section(
        self,
        model: type[BaseModel],
        written: object,
        loc: Loc,
        *,
        name: str,
        label: str = "",
        item: bool = False,
    ) -> FormSection:
        content = written if isinstance(written, Mapping) else {}
        fields: list[FormField] = []
        sections: list[FormSection] = []
        for key, field in model.model_fields.items():
            if key in FormSection.LEFT_TO_TEXT:
                continue
            place, value = (*loc, key), content.get(key)
            inner = bare(field.rebuild_annotation())
            if isinstance(inner, type) and inner in FormSection.SINGLE:
                sections.append(self.section(inner, value, place, name=key))
            elif (of := _item_of(inner)) is not None:
                sections.append(self._list(of, value, place, name=key, model=model))
            else:
                fields.append(self._field(model, key, field, value, place))
        return FormSection(
            loc=_json(loc), path=dotted(loc), model=model.__name__, name=name, label=label,
            written=written is not None, fields=tuple(fields), sections=tuple(sections),
            item=item, faults=tuple(self._faults.get(dotted(loc), ())) if loc else (),
        )  # fmt: skip

    def _list(
        self, of: type[BaseModel], value: object, loc: Loc, *, name: str, model: type[BaseModel]
    ) -> FormSection:
        items = value if isinstance(value, list) else []
        new = FormSection.LISTED[of]
        added = ((*loc, len(items)), new) if items else (loc, f"[{new}]")
        return FormSection(
            loc=_json(loc), path=dotted(loc), model=model.__name__, name=name, written=bool(items),
            sections=tuple(
                self.section(of, each, (*loc, i), name=name, label=_label(each, i), item=True)
                for i, each in enumerate(items)
            ),
            added=(_json(added[0]), added[1]),
            faults=tuple(self._faults.get(dotted(loc), ())),
        )  # fmt: skip

    def _field(
        self, model: type[BaseModel], name: str, field: FieldInfo, value: object, loc: Loc
    ) -> FormField:
        inner = bare(field.rebuild_annotation())
        choices = tuple(map(str, get_args(inner))) if get_origin(inner) is Literal else ()
        kind: Kind = "choice" if choices else "switch" if inner is bool else "text"
        path = dotted(loc)
        below = [
            f for key, found in self._faults.items() if key.startswith(f"{path}.") for f in found
        ]
        return FormField(
            loc=_json(loc), path=path, model=model.__name__, name=name, kind=kind,
            value="" if value is None else flow_text(value),
            takes=str(describe(field.rebuild_annotation())), required=field.is_required(),
            choices=choices, faults=(*self._faults.get(path, ()), *below),
        )  # fmt: skip


def _item_of(kind: object) -> type[BaseModel] | None:
    """Return the model whose items a list holds; None where it is none of the form's."""
    args = get_args(kind)
    return args[0] if get_origin(kind) is tuple and args[0] in FormSection.LISTED else None


def _label(item: object, index: int) -> str:
    if isinstance(item, Mapping):
        names = ("name", "id", "column")
        for key in names:
            if key in item:
                return str(item[key])
        offers = item.get("offers")
        if isinstance(offers, Sequence):
            return ", ".join(map(str, offers))
    return str(index + 1)


def _json(loc: Loc) -> str:
    return json.dumps(loc)


@cache
def field_words(code: Code) -> Mapping[tuple[str, str], tuple[str, str]]:
    """Return title and help of each field of the form in a language, by model and name."""
    every: tuple[type[BaseModel], ...] = (Policy, *FormSection.SINGLE, *FormSection.LISTED)
    models = {model.__name__: model for model in every}
    words = {
        (name, field): (field.replace("_", " "), text)
        for name, model in models.items()
        for field, text in field_texts(model).items()
    }
    if code == "zh":
        content = files("incentive_engine.workflow.studio").joinpath("help.zh.toml")
        for name, fields in tomllib.loads(content.read_text("utf-8")).items():
            words |= {(name, field): (title, text) for field, (title, text) in fields.items()}
    return words
