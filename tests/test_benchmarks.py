"""Benchmarks name what there is, also in the code that they run in processes of their own."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest

BENCHMARKS: Final = sorted((Path(__file__).parents[1] / "benchmarks").glob("*.py"))


def imports_of(source: str) -> Iterator[ast.ImportFrom]:
    """Yield what code imports from the package, and what code in its strings does."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.ImportFrom(module=str(module)) if module.startswith("incentive_engine"):
                yield node
            case ast.Constant(value=str(text)) if "from incentive_engine" in text:
                yield from imports_of(textwrap.dedent(text))


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_a_benchmark_imports_what_there_is(path: Path) -> None:
    for node in imports_of(path.read_text(encoding="utf-8")):
        module = import_module(str(node.module))
        for name in node.names:
            known = hasattr(module, name.name) or find_spec(f"{node.module}.{name.name}")
            assert known, f"{node.module} has no {name.name}"
