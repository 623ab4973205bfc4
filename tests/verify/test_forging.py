"""Every field, column, file and row of a run, forged one at a time with fresh digests.

What verification accepts must be among what nothing in a run's files can show, written out below;
`docs/verification.md` says the same in words. CI tries a seeded sample; all forgeries:

    FORGERIES=all pytest tests/verify/test_forging.py
"""

from __future__ import annotations

import copy
import json
import os
import random
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pytest
import yaml

from incentive_engine.run.signature import SigningKey, sign_run
from incentive_engine.verify.verification import verify_run

from .runs import HandMadeRun, dump, evaluation_by_hand, given, reseal, seal
from .test_forged_files import manifest_of

SEED: Final = 20261111
SAMPLE: Final = 40
"""Forgeries of one file that CI tries."""

Path_ = tuple[str | int, ...]
Forgery = tuple[str, Callable[[Path], None]]

BY_DEFAULT: Final = r"(policy\.)?objective\.maximise gone"
"""What a policy says when it says nothing."""

UNKNOWABLE: Final = {
    "certificate.json": (
        r"returns\.marginal_roi",  # comes from a second plan
        r"budget\.evaluated gone",  # runs of before have none
        r"mandate\.cap",  # any cap that is not below the budget
        r"limits\.\d+\.(report_only|price) (flipped|gone)",  # by default not, and none
    ),
    "evaluation.json": (
        r"plan\.rows",
        r"plan\.baseline\.",
        r"plan\.\w+\.(estimate|low|high)",  # inside its own interval
        r"plan$",
        r"findings",
    ),
    "prices.json": (r"settled",),  # 102 is tied to the last digit
    "frozen_policy.json": (),
    "manifest.json": (
        r"engine|source|author|created|policy_file|solver|seconds|versions",
        r"inputs\.\w+\.path",
        r"inputs\.trial",  # a trial is not part of a run
        r"inputs$",  # as a plan made in memory has them
        r"inputs\.policy\.rows gone",  # none by default
        BY_DEFAULT,
    ),
}
"""File to the forgeries, named `path kind`, that a run's own files cannot show."""


def made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    run = HandMadeRun(evaluation=evaluation_by_hand(), manifest={"policy_file": "by hand.yaml"})
    told = {"estimate": 4.0, "low": 3.0, "high": 5.0, "correction": 1.0}
    run.certificate["budget"]["evaluated"] = told
    return run.write(folder / "run")


def chosen(forgeries: list[Forgery]) -> list[Forgery]:
    """Return all forgeries, or a seeded sample of them."""
    if os.environ.get("FORGERIES") == "all":
        return forgeries
    return random.Random(SEED).sample(forgeries, min(SAMPLE, len(forgeries)))  # noqa: S311 - a sample


def accepted(forgeries: list[Forgery], tmp_path: Path) -> list[str]:
    """Return the forgeries that verification does not refuse."""
    original = made(tmp_path)
    assert verify_run(original).ok
    found = []
    for name, forge in chosen(forgeries):
        directory = tmp_path / "forged"
        shutil.copytree(original, directory)
        forge(directory)
        if verify_run(directory).ok:
            found.append(name)
        shutil.rmtree(directory)
    return found


# --- JSON


def leaves(content: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Yield the way to every value, to objects and lists as a whole too."""
    if path:
        yield path
    items: Any = (
        content.items()
        if isinstance(content, dict)
        else enumerate(content)
        if isinstance(content, list)
        else ()
    )
    for key, inner in items:
        yield from leaves(inner, (*path, key))


def others(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield lies about a value by kind."""
    if isinstance(value, bool):
        yield "flipped", not value
    elif isinstance(value, int | float):
        yield "more", value + 0.001 * max(abs(value), 1) if isinstance(value, float) else value + 1
        yield "less", value - max(abs(value), 1) if isinstance(value, float) else value - 1
    elif isinstance(value, str):
        yield "other", value[:-1] + ("0" if value[-1:] != "0" else "1")
    elif value is None:
        yield "filled", 1.0
    elif isinstance(value, list) and value:
        yield "shorter", value[:-1]
        yield "longer", [*value, value[-1]]


def lies(content: Any) -> Iterator[tuple[str, Any]]:
    """Yield a name and the content with one lie in it."""
    for path in leaves(content):
        name = ".".join(map(str, path))
        for kind, lie in (*others(_at(content, path)), ("gone", _GONE)):
            forged = copy.deepcopy(content)
            holder = _at(forged, path[:-1])
            if lie is _GONE:
                del holder[path[-1]]
            else:
                holder[path[-1]] = lie
            yield f"{name} {kind}", forged


_GONE: Final = object()


def _at(content: Any, path: Path_) -> Any:
    for key in path:
        content = content[key]
    return content


def in_json(file: str, content: Any) -> Callable[[Path], None]:
    def forge(directory: Path) -> None:
        dump(directory / file, content)
        if file != "manifest.json":
            reseal(directory)

    return forge


@pytest.mark.parametrize("file", UNKNOWABLE)
def test_no_field_can_be_changed_or_left_out_but_what_nothing_shows(
    file: str, tmp_path: Path
) -> None:
    content = json.loads((made(tmp_path / "as_made") / file).read_text(encoding="utf-8"))
    outputs = {"outputs": content.pop("outputs")} if "outputs" in content else {}
    forgeries = [
        (name, in_json(file, forged | outputs))
        for name, forged in lies(content)
        if not any(re.match(f"({pattern})", name) for pattern in UNKNOWABLE[file])
    ]
    assert len(forgeries) > 5
    assert accepted(forgeries, tmp_path) == []


# --- tables


def in_cell(file: str, column: str, row: int, value: Any) -> Callable[[Path], None]:
    def forge(directory: Path) -> None:
        frame: Any = pd.read_parquet(directory / file)
        frame.loc[row, column] = value
        frame.to_parquet(directory / file, index=False)
        reseal(directory)

    return forge


def cells(file: str, frame: Any) -> list[Forgery]:
    forgeries = []
    for column in frame:
        for row in range(len(frame)):
            value = frame.loc[row, column]
            if pd.isna(value):
                lie = 0.5 if pd.api.types.is_float_dtype(frame[column].dtype) else "east"
            else:
                lie = f"{value}x" if isinstance(value, str) else value + 1
            forgeries.append((f"{column} {row}", in_cell(file, column, row, lie)))
    return forgeries


def test_no_cell_of_an_allocation_can_be_changed(tmp_path: Path) -> None:
    frame = pd.read_parquet(made(tmp_path / "as_made") / "allocation.parquet")
    assert accepted(cells("allocation.parquet", frame), tmp_path) == []


def test_no_cell_of_the_scores_can_be_changed(tmp_path: Path) -> None:
    frame = pd.read_parquet(made(tmp_path / "as_made") / "scores.parquet")
    assert accepted(cells("scores.parquet", frame), tmp_path) == []


@pytest.mark.parametrize("file", ["allocation.parquet", "scores.parquet"])
def test_no_row_can_be_dropped_repeated_or_moved(file: str, tmp_path: Path) -> None:
    def of_rows(order: list[int]) -> Callable[[Path], None]:
        def forge(directory: Path) -> None:
            pd.read_parquet(directory / file).iloc[order].to_parquet(directory / file, index=False)
            reseal(directory)

        return forge

    orders = [[row for row in range(6) if row != gone] for gone in range(6)]
    orders += [[*range(6), row] for row in range(6)]
    orders += [[1, 0, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [1, 2, 3, 4, 5, 0]]
    forgeries = [(str(order), of_rows(order)) for order in orders]
    assert accepted(forgeries, tmp_path) == []


# --- the policy


def in_policy(text: dict[str, Any]) -> Callable[[Path], None]:
    """Return a forger that replaces the policy file, and its digest among the inputs too."""

    def forge(directory: Path) -> None:
        path = directory / "policy.yaml"
        path.write_text(yaml.safe_dump(text, allow_unicode=True), encoding="utf-8")
        manifest = manifest_of(directory)
        manifest["inputs"]["policy"] = given(path, None, as_given=True)
        del manifest["outputs"]
        seal(directory, **manifest)

    return forge


def test_no_word_of_the_policy_file_can_be_changed(tmp_path: Path) -> None:
    content = yaml.safe_load((made(tmp_path / "as_made") / "policy.yaml").read_text("utf-8"))
    forgeries = [
        (name, in_policy(forged))
        for name, forged in lies(content)
        if not re.match(BY_DEFAULT, name)
    ]
    assert accepted(forgeries, tmp_path) == []


# --- files


def test_no_file_can_be_taken_away_emptied_or_cut(tmp_path: Path) -> None:
    names = sorted(path.name for path in made(tmp_path / "as_made").iterdir())

    def cut(name: str, size: int | None) -> Callable[[Path], None]:
        def forge(directory: Path) -> None:
            path = directory / name
            if size is None:
                path.unlink()
            else:
                path.write_bytes(path.read_bytes()[:size])
            if name != "manifest.json":
                reseal(directory)

        return forge

    forgeries = [
        (f"{name} {size}", cut(name, size))
        for name in names
        for size in (None, 0, 1, 100)
        if (name, size) not in {("report.html", size) for size in (0, 1, 100)}
    ]
    assert accepted(forgeries, tmp_path) == []


def test_with_a_key_not_even_what_nothing_shows_can_be_changed(tmp_path: Path) -> None:
    key = SigningKey(b"a key that only tests have")
    directory = made(tmp_path)
    signature = tmp_path / "signature.json"
    sign_run(directory, key, now=pd.Timestamp("2026-11-01", tz="UTC").to_pydatetime())
    shutil.copy(directory / "signature.json", signature)
    assert verify_run(directory, key=key).ok
    for file in ("evaluation.json", "certificate.json", "report.html"):
        path = directory / file
        path.write_bytes(path.read_bytes() + b" ")
        (directory / "signature.json").unlink()
        reseal(directory)
        shutil.copy(signature, directory / "signature.json")
        assert verify_run(directory).ok, file
        assert not verify_run(directory, key=key).ok, file
