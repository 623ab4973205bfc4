"""The files of a saved model, checked before anything is read from them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from incentive_engine.errors import DataError, Fault
from incentive_engine.language import Text, say

FORMAT: Final = 8
"""Version of these files; a reader refuses any other."""


def model_file(directory: Path) -> Path:
    """Return the file of a saved model; under `digest` it has that of all its other content."""
    return directory / "model.json"


def read_evaluation(directory: Path) -> Mapping[str, Any]:
    """Read what was found out about a saved model and its trial; empty where nothing was.

    Raises
    ------
    DataError
        As `load_model`, but only the file that is read is checked.
    """
    content = read_model_file(model_file(directory))
    # what is known of the model's quality; it may stand in the directory before the model does
    evaluation = "evaluation.json"
    if evaluation not in content.get("files", {}):
        return {}
    check_files(content, directory, only=evaluation)
    return dict(json.loads((directory / evaluation).read_text()))


def read_model_file(file: Path) -> dict[str, Any]:
    """Read what `storage.save_model` says of a model.

    Raises
    ------
    DataError
        When there is no model, one of another format, or one that was changed.
    """
    try:
        content = json.loads(file.read_text())
    except (FileNotFoundError, NotADirectoryError):
        expected = say("a directory with {model}", model=file.name)
        raise DataError(model_fault(file.parent, "holds no model", expected)) from None
    except (OSError, ValueError) as error:
        raise DataError(model_fault(file, "cannot be read as JSON")) from error
    written_format = content.get("format") if isinstance(content, dict) else None
    if written_format != FORMAT:
        newer = isinstance(written_format, int) and written_format > FORMAT
        what = say("is a model of format {found}", found=written_format)
        if isinstance(content, dict) and (engine := content.get("engine")):
            what = say(
                "is a model of format {found} (written by engine {engine}; this is {mine})",
                found=written_format,
                engine=engine,
                mine=version("incentive-engine"),
            )
        fault = model_fault(file, what, say("format {format}", format=FORMAT))
        if newer:
            fault = replace(
                fault, remedy=say("update the engine, or {remedy}", remedy=fault.remedy)
            )
        raise DataError(fault)
    inside = {name: value for name, value in content.items() if name != "digest"}
    if content.get("digest") != _content_digest(inside):
        raise DataError(_changed(file))
    return inside


def write_model_file(content: Mapping[str, Any], file: Path) -> None:
    """Write what `read_model_file` reads and checks."""
    sealed = {**content, "digest": _content_digest(content)}
    file.write_text(json.dumps(sealed, ensure_ascii=False, indent=1))


def _content_digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def check_files(content: Mapping[str, Any], directory: Path, *, only: str | None = None) -> None:
    """Compare the files, or only one of them, with their digests in the model file.

    Raises
    ------
    DataError
        When one is missing, or was changed.
    """
    digests = content.get("files", {})
    if only is not None:
        digests = {only: digests.get(only)}
    faults = []
    for name, stated in digests.items():
        file = directory / name
        if not file.is_file():
            faults.append(model_fault(file, "is missing from the model"))
        elif digest(file) != stated:
            faults.append(_changed(file))
    if faults:
        raise DataError(*faults)


def model_fault(file: Path, what: Text, expected: Text = "") -> Fault:
    """Return what is wrong with a file of a model, which is mended by training again."""
    return Fault(str(file), what, expected, "train again with `incentive train`")


def _changed(file: Path) -> Fault:
    return model_fault(file, "was changed since it was written")


def digest(file: Path) -> str:
    """Return a file's sha256 in hexadecimal."""
    return hashlib.sha256(file.read_bytes()).hexdigest()
