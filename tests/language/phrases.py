"""What the program says in English where it is found, read from the sources."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PACKAGE = Path(__file__).parents[2] / "incentive_engine"
TEXTS: Final[dict[str, tuple[set[int], set[str]]]] = {
    "say": ({0}, set()),
    "message": ({0}, set()),
    "Words": ({0}, set()),
    "Fault": ({1, 2, 3}, {"what", "expected", "remedy"}),
    "FieldProblem": ({1, 2, 3}, {"what", "expected", "remedy"}),
    "refuse": ({1}, {"expected", "remedy"}),
    "fault": ({1}, {"remedy"}),
    "UnreadableError": ({0}, set()),
    "add": ({0}, set()),
    "add_rows": ({1}, set()),
    "Option": (set(), {"help"}),
    "Argument": (set(), {"help"}),
    "CommandGroup": (set(), {"help", "epilog"}),
}
"""Calls whose arguments, by place and by name, are said to people."""
CODE = re.compile(r"`[^`]*`|\{[^}]*\}|'[^']*'|--[\w-]+|\w+://\S*|INCENTIVE_\w+")
WORD = re.compile(r"(?<![\w./-])[a-z]{2,}(?![\w./-])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A text of the sources, or what is put together where no catalogue can know it."""

    place: str
    text: str | None


def said() -> Iterator[Said]:
    """Yield all that the sources say to people in English."""
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        name = str(path.relative_to(PACKAGE))
        for function in _functions(tree):
            for node in _texts(function, tree):
                yield from _read(node, name)
        if name.startswith("cli/"):
            yield from _docstrings(tree, name)


def needs_words(text: str) -> bool:
    """Return whether a text has words of English beside names and code."""
    return WORD.search(CODE.sub("", text)) is not None


def _functions(tree: ast.Module) -> Iterator[ast.AST]:
    yield tree
    yield from (
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def _texts(function: ast.AST, tree: ast.Module) -> Iterator[ast.expr]:
    """Yield the arguments that are texts; a name stands for what it is given in the function."""
    given = _given(tree, deep=False) | _given(function, deep=True)
    for call in ast.walk(function):
        if isinstance(call, ast.Call) and _name(call.func) in TEXTS:
            places, names = TEXTS[_name(call.func)]
            arguments = [each for at, each in enumerate(call.args) if at in places]
            arguments += [each.value for each in call.keywords if each.arg in names]
            for argument in arguments:
                if isinstance(argument, ast.Name):
                    yield from given.get(argument.id, [])
                else:
                    yield argument


def _given(scope: ast.AST, *, deep: bool) -> dict[str, list[ast.expr]]:
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(scope) if deep else ast.iter_child_nodes(scope):
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets, value = [node.target], node.value
        else:
            continue
        for target in targets:
            pairs: list[tuple[ast.expr, ast.expr]] = [(target, value)]
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                pairs = list(zip(target.elts, value.elts, strict=True))
            for one, its in pairs:
                if isinstance(one, ast.Name):
                    found.setdefault(one.id, []).append(its)
    return found


def _read(node: ast.expr, name: str) -> Iterator[Said]:
    place = f"{name}:{node.lineno}"
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield Said(place=place, text=node.value)
    elif isinstance(node, ast.IfExp):
        yield from _read(node.body, name)
        yield from _read(node.orelse, name)
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from _read(value, name)
    elif isinstance(node, ast.JoinedStr | ast.BinOp) and needs_words(ast.unparse(node)):
        yield Said(place=place, text=None)


def _docstrings(tree: ast.Module, name: str) -> Iterator[Said]:
    """Yield what commands say of themselves in their help: the paragraphs before any section."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and any(map(_is_command, node.decorator_list)):
            text = ast.get_docstring(node) or ""
            yield Said(place=f"{name}:{node.lineno}", text=text)


def _is_command(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Call) and _name(decorator.func) == "command"


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""
