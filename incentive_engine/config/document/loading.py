"""Reading documents: from a file, with changes, or from what a manifest holds.

Every problem of a document is reported at once, as ``path:line: field: what is wrong``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from incentive_engine.config.access.location import FileContext
from incentive_engine.config.access.regular import special_file
from incentive_engine.config.document.models import Document, faults_of
from incentive_engine.config.document.overrides import apply_setting
from incentive_engine.config.document.places import DocumentSource, Place
from incentive_engine.config.document.tree import DocumentTree, Node, parse_tree
from incentive_engine.config.policy import Policy
from incentive_engine.errors import ConfigError, Fault, nearest
from incentive_engine.language import Text, say

AnyDoc = TypeVar("AnyDoc", bound=Document)


def load_policy(
    path: Path, *, set_values: Sequence[str] = (), require_data: bool = True
) -> Policy:
    """Read a policy file; relative data paths become absolute.

    Parameters
    ----------
    path
        The YAML file.
    set_values
        Changes such as ``budget.amount=300k``, ``limits.region cap.at_most=8%`` or
        ``limits.roi=null``; things in lists are addressed by name, id, column or position.
    require_data
        Whether missing data files are faults; not so where scores are given.

    Raises
    ------
    ConfigError
        With every problem of the file, in the order of its lines.
    """
    return load_document(Policy, path, set_values=set_values, require_data=require_data)


def load_document(
    model: type[AnyDoc],
    path: Path,
    *,
    set_values: Sequence[str] = (),
    require_data: bool = True,
) -> AnyDoc:
    """Read a file as any kind of document; see `load_policy`."""
    tree = parse_tree(_text(path), origin=str(path))
    root = _mapping(tree, path)
    settings = [fault for setting in set_values for fault in apply_setting(root, setting)]
    source = DocumentSource(str(path), root.places())
    context = FileContext(path.parent, require_data)
    document, faults = validated(model, root.plain(), source=source, context=context)
    # in the order in which a planner reads the file
    ordered = sorted((*tree.faults, *faults), key=lambda found: found[0].line)
    if document is None or ordered or settings:
        raise ConfigError(*settings, *(fault for _, fault in ordered))
    return document


def policy_from_mapping(mapping: Mapping[str, object], *, where: str = "policy") -> Policy:
    """Return the policy of plain data, as ``Policy.model_dump(mode="json")`` gives them.

    Raises
    ------
    ConfigError
        With every problem, each placed at `where`.
    """
    document, faults = validated(Policy, mapping, source=DocumentSource(where))
    if document is None:
        raise ConfigError(*(fault for _, fault in faults))
    return document


def validated(
    model: type[AnyDoc],
    written: object,
    *,
    source: DocumentSource,
    context: FileContext | None = None,
) -> tuple[AnyDoc | None, list[tuple[Place, Fault]]]:
    """Return the document of plain data, and what is wrong with it, each with its place."""
    try:
        document = model.model_validate(written, context=context)
    except ValidationError as error:
        return None, faults_of(error, model=model, written=written, source=source)
    return document.read_from(source), []


def _mapping(tree: DocumentTree, path: Path) -> Node:
    """Return the document's mapping.

    Raises
    ------
    ConfigError
        When the text is not readable, empty or something else.
    """
    if tree.root is not None and isinstance(tree.root.value, dict):
        return tree.root
    if tree.faults:
        raise ConfigError(*(fault for _, fault in tree.faults))
    if tree.root is None:
        remedy = "copy one from policies/ and edit it"
        raise ConfigError(Fault(str(path), "the file is empty", remedy=remedy))
    what = say("a list" if isinstance(tree.root.value, list) else "a single value")
    expected = "keys and values, as `version: 1`"
    raise ConfigError(
        Fault(str(tree.root.place), say("the file holds {what}", what=what), expected)
    )


def _text(path: Path) -> str:
    """Return a file's text.

    Raises
    ------
    ConfigError
        When it cannot be read, or is not UTF-8.
    """
    # bytes of a document
    largest = 10_000_000
    try:
        if special := special_file(path):
            raise ConfigError(Fault(str(path), special, "a YAML file", "write it into a file"))
        if path.stat().st_size > largest:
            long = say("has {size:,} bytes", size=path.stat().st_size)
            remedy = "a policy names its data, and does not hold them"
            raise ConfigError(
                Fault(str(path), long, say("at most {bound:,}", bound=largest), remedy)
            )
        content = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(
            Fault(str(path), "there is no such file", remedy=_beside(path))
        ) from None
    except IsADirectoryError:
        raise ConfigError(Fault(str(path), "is a directory", "a YAML file")) from None
    except OSError as error:
        unread, remedy = say("cannot be read: {reason}", reason=error), "ask for access"
        raise ConfigError(Fault(str(path), unread, remedy=remedy)) from None
    try:
        # Windows editors put a mark before UTF-8
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        what = "the file is not UTF-8 text"
        raise ConfigError(Fault(f"{path}:{line}", what, remedy="save it as UTF-8")) from None


def _beside(path: Path) -> Text:
    if not path.parent.is_dir():
        return say("there is no directory {folder} either", folder=path.parent)
    names = sorted(file.name for file in path.parent.glob("*.y*ml"))
    return nearest(path.name, names) if names else "look at the path"
