"""A policy while it is being written: its text, what it means so far, and every fault by field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from incentive_engine.config.access.location import FileContext
from incentive_engine.config.document.editing import Edit, edited
from incentive_engine.config.document.loading import validated
from incentive_engine.config.document.places import DocumentSource
from incentive_engine.config.document.tree import parse_tree
from incentive_engine.config.policy import Policy
from incentive_engine.errors import ConfigError, Fault
from incentive_engine.language import say


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldFault:
    """One fault of a draft.

    Attributes
    ----------
    field
        The way to the field, with dots; empty where the fault is about the whole text.
    line
        From 1; 0 where there is none.
    """

    field: str
    line: int
    fault: Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDraft:
    """A text that is meant to be a policy.

    Attributes
    ----------
    written
        The plain content; None where the text is no YAML.
    policy
        What it means; None while there are faults.
    """

    path: Path
    text: str
    written: dict[str, object] | None
    policy: Policy | None
    faults: tuple[FieldFault, ...]
    require_data: bool = False

    def with_changes(self, changes: Sequence[Edit]) -> PolicyDraft:
        """Return the draft of a text in which some values are changed.

        Raises
        ------
        ConfigError
            When the text cannot be changed there.
        """
        if not changes:
            return self
        text = edited(self.text, changes)
        return read_draft(text, self.path, require_data=self.require_data)

    def valid(self) -> Policy:
        """Return the policy.

        Raises
        ------
        ConfigError
            With every fault.
        """
        if self.policy is None:
            raise ConfigError(*(field_fault.fault for field_fault in self.faults))
        return self.policy


def read_draft(text: str, path: Path, *, require_data: bool = False) -> PolicyDraft:
    """Return what a text says.

    Parameters
    ----------
    path
        Where it stands, or will: relative paths in it start there.
    require_data
        Whether missing data files are faults.
    """
    origin = path.name
    tree = parse_tree(text, origin=origin)
    content = tree.root.plain() if tree.root is not None else None
    field_faults = [
        FieldFault(field="", line=place.line, fault=fault) for place, fault in tree.faults
    ]
    written: dict[str, object] | None = None
    policy: Policy | None = None
    if isinstance(content, dict):
        assert tree.root is not None
        written = {str(key): value for key, value in content.items()}
        source = DocumentSource(origin, tree.root.places())
        context = FileContext(path.parent, require_data)
        policy, faults = validated(Policy, content, source=source, context=context)
        field_faults += [
            FieldFault(field=_field_of(str(fault.where), str(place)), line=place.line, fault=fault)
            for place, fault in faults
        ]
    elif not field_faults:
        remedy = "begin with `version: 1` and a `name`"
        fault = Fault(origin, say("studio.no_mapping"), remedy=remedy)
        field_faults.append(FieldFault(field="", line=1, fault=fault))
    field_faults.sort(key=lambda each: each.line)
    return PolicyDraft(
        path=path,
        text=text,
        written=written,
        policy=None if field_faults else policy,
        faults=tuple(field_faults),
        require_data=require_data,
    )


def _field_of(where: str, place: str) -> str:
    """Return the way to a field out of what a fault says of its place.

    >>> _field_of("a.yaml:3: limits.0.at_most", "a.yaml:3")
    'limits.0.at_most'
    """
    return where.removeprefix(place).removeprefix(": ")
