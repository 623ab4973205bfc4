"""Checks of what a run was made from: against its own copies, and against the files at hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from incentive_engine.data.sources import read_table
from incentive_engine.data.tables.arrow import is_number, numbers, whole
from incentive_engine.data.tables.files import digest_file
from incentive_engine.domain import BoolArray
from incentive_engine.errors import DataError
from incentive_engine.run.format import POLICY_FILE, SCORES_FILE, InputFile

from .blocks import open_parquet
from .files import Run
from .result import Check, Findings


def check_inputs(run: Run) -> Check:
    """Check that policy and scores of the run are the inputs that its manifest names.

    A file that is gone or has changed since is no finding: a run is checked from its own files.
    The check says which inputs were compared with files at hand.
    """
    at_hand = {name: _is_at_hand(file) for name, file in run.manifest.inputs.items()}
    found = Findings(
        "inputs", "; ".join(["policy and scores are the inputs named", *_told(at_hand)])
    )
    for problem in (*_policy(run), *_scores(run), *_seed(run)):
        found.add(problem)
    scores = run.manifest.inputs.get("scores")
    if scores is not None and scores.as_given is False and at_hand["scores"]:
        for problem, wrong in _other_scores(run, Path(scores.path)):
            found.add_rows(wrong, problem)
    return found.check()


def _is_at_hand(file: InputFile) -> bool | None:
    """Return whether an input still is what was read; None where nothing can be said of it."""
    path = Path(file.path)
    if not path.is_absolute() or not (path.is_file() or path.is_dir()):
        return None
    try:
        return digest_file(path) == file.sha256
    except DataError:
        return None


def _told(at_hand: dict[str, bool | None]) -> Iterator[str]:
    for state, words in ((True, "unchanged"), (False, "changed since"), (None, "not at hand")):
        if names := [name for name, known in at_hand.items() if known is state]:
            yield f"{words}: {', '.join(names)}"


def _policy(run: Run) -> Iterator[str]:
    stated, copy = run.manifest.inputs.get("policy"), run.manifest.outputs.get(POLICY_FILE)
    if stated is None and run.manifest.policy_file is not None:
        yield "manifest.json names a policy file and no digest of it"
    if stated is not None and copy is not None and stated.sha256 != copy.sha256:
        yield "policy.yaml is not the policy file that the manifest names: its digest differs"


def _scores(run: Run) -> Iterator[str]:
    stated, copy = run.manifest.inputs.get("scores"), run.manifest.outputs.get(SCORES_FILE)
    if stated is None:
        if run.manifest.inputs.keys() - {"policy"}:
            yield "manifest.json names inputs, and no scores among them"
        return
    rows = open_parquet(run.directory / SCORES_FILE).metadata.num_rows
    if stated.rows != rows:
        yield f"scores.parquet has {rows:,} rows, the scores that the manifest names {stated.rows}"
    if stated.as_given is None:
        yield "manifest.json does not say whether scores.parquet is the file as given"
    if stated.as_given and copy is not None and stated.sha256 != copy.sha256:
        yield "scores.parquet is not the file that the manifest names: its digest differs"


def _seed(run: Run) -> Iterator[str]:
    manifest, policy = run.manifest, run.policy
    for word, stated, used in (
        ("seed", manifest.seed, policy.seed),
        ("holdout.share", manifest.holdout.share, policy.holdout or 0.0),
    ):
        if stated != used:
            yield f"{word} is {stated}, the policy says {used}"


def _other_scores(run: Run, path: Path) -> Iterator[tuple[str, BoolArray]]:
    """Yield the columns of scores.parquet that differ from the file at hand, and (n,) where."""
    kept = read_table(run.directory / SCORES_FILE)
    given = read_table(path, kept.column_names)
    everywhere = np.ones(len(kept), dtype=np.bool_)
    for name in kept.column_names:
        if name not in given.column_names or len(given) != len(kept):
            yield f"`{name}` is not that of {path}", everywhere
        else:
            wrong = _differs(whole(kept[name]), whole(given[name]))
            yield f"`{name}` differs from {path}", wrong


def _differs(kept: pa.Array, given: pa.Array) -> BoolArray:
    if is_number(kept.type) and is_number(given.type):
        old, new = numbers(kept), numbers(given)
        return np.asarray((old != new) & ~(np.isnan(old) & np.isnan(new)), dtype=np.bool_)
    old, new = _as_text(kept), _as_text(given)
    same = pc.equal(old, new).fill_null(fill_value=False)
    both_null = pc.and_(old.is_null(), new.is_null())
    return ~np.asarray(pc.or_(same, both_null).to_numpy(zero_copy_only=False), dtype=np.bool_)


def _as_text(column: pa.Array) -> pa.Array:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us"))
    return column.cast(pa.large_string())
