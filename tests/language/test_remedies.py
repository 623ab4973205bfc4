"""Every fault says what was expected, or what to do about it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import incentive_engine

ROOT: Final = Path(incentive_engine.__file__).parent
SAY_IT_THEMSELVES: Final = (
    "who", "who_answers", "name_it", "pick_two", "not_open", "save_first", "many_scenarios",
    "runs_already", "too_many", "stale_page",
)  # fmt: skip
"""Texts of the studio that are what to do: `say who approves`."""
OTHERWISE: Final = {
    "allocation/infeasible/conflict.py": "the way out, which is a remedy in whole sentences",
    "insight/findings.py": "warnings of the trial, which hold theirs",
    "library/estimator.py": "a sentence that scikit-learn prescribes",
    "live/campaign.py": "no offer of this user: nothing is wrong, and nothing is to be done",
    "live/watch/answer.py": "the ledger's own reason",
    "measurement/learning/folder.py": "the text names the features",
    "uplift/one_user.py": "the text says what a feature must hold",
    "workflow/find_power.py": "what is wrong with an amount, which says how amounts are written",
    "workflow/whatif.py": "the head of a list of limits in conflict, each with its own",
}


def bare_faults() -> Iterator[str]:
    """Yield the places of faults with neither expectation nor remedy."""
    for file in sorted(ROOT.rglob("*.py")):
        source = file.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != "Fault":
                continue
            named = {keyword.arg for keyword in node.keywords}
            is_spread = None in named or any(isinstance(a, ast.Starred) for a in node.args)
            if is_spread or len(node.args) > 2 or named & {"expected", "remedy"}:
                continue
            text = ast.get_source_segment(source, node) or ""
            if not any(f'"studio.{key}"' in text for key in SAY_IT_THEMSELVES):
                yield f"{file.relative_to(ROOT).as_posix()}:{node.lineno}"


def test_every_fault_says_what_to_do_or_what_was_expected() -> None:
    bare = [place for place in bare_faults() if place.partition(":")[0] not in OTHERWISE]
    assert bare == []


def test_every_exception_is_still_one() -> None:
    assert {place.partition(":")[0] for place in bare_faults()} == set(OTHERWISE)
