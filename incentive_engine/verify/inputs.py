"""Checks of what a run was made from: its own copies, the files at hand, the gain by the trial."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from incentive_engine.config.access.location import parse_location
from incentive_engine.data.sources import open_source, read_table
from incentive_engine.data.sources.source import Source
from incentive_engine.data.tables.arrow import is_number, numbers, whole
from incentive_engine.data.tables.files import digest_file
from incentive_engine.domain import COST, BoolArray, score_column
from incentive_engine.errors import ConfigError, DataError
from incentive_engine.language import Text, say
from incentive_engine.run.format import RunFile
from incentive_engine.run.statements import InputFile, StatedGain

from .files import StatedRun
from .recomputed.blocks import open_parquet
from .result import Check, CheckFindings


def check_inputs(run: StatedRun) -> Check:
    """Check that policy and scores of the run are the inputs that its manifest names.

    A file that is gone or has changed since is no finding: a run is checked from its own files.
    The check says which inputs were compared with files at hand.
    """
    at_hand = {name: _is_at_hand(run, name, file) for name, file in run.manifest.inputs.items()}
    what = "; ".join(["policy and scores are the inputs named", *_told(at_hand)])
    findings = CheckFindings("inputs", what)
    for problem in (*_copies(run), *_rows(run), *_seed(run)):
        findings.add(problem)
    scores = run.manifest.inputs.get("scores")
    # a plan made in memory names no inputs, so that its scores are compared with nothing
    as_given = bool(run.manifest.inputs) if scores is None else scores.as_given
    if as_given and (factor := _correction(run)) != 1:
        findings.add(
            say(
                "costs are said to be {factor} times those of the scores, which are as given",
                factor=factor,
            )
        )
    if scores is not None and scores.as_given is False and at_hand["scores"]:
        for problem, wrong in _other_scores(run, _source(run, "scores", scores)):
            findings.add_rows(wrong, problem)
    return findings.check()


def _source(run: StatedRun, name: str, file: InputFile) -> Source:
    """Return an input's table, with the columns that the policy calls otherwise renamed."""
    renames = run.policy.data.columns.model_dump().get(name)
    return open_source(parse_location(file.path), renames=renames or {})


def _is_at_hand(run: StatedRun, name: str, file: InputFile) -> bool | None:
    """Return whether an input still is what was read; None where nothing can be said of it.

    A server is not asked: a verification needs no network.
    """
    path = Path(file.path)
    # a relative path is one of the machine that planned, and may be another file here
    if not path.is_absolute() or not (path.is_file() or path.is_dir()):
        return None
    try:
        digest = digest_file(path) if name == "policy" else _source(run, name, file).digest()
    except (ConfigError, DataError):
        return None
    return digest == file.sha256


def _told(at_hand: dict[str, bool | None]) -> Iterator[str]:
    for state, words in ((True, "unchanged"), (False, "changed since"), (None, "not at hand")):
        if names := [name for name, is_unchanged in at_hand.items() if is_unchanged is state]:
            yield f"{words}: {', '.join(names)}"


def _copies(run: StatedRun) -> Iterator[Text]:
    inputs, outputs = run.manifest.inputs, run.manifest.outputs
    if run.manifest.policy_file is not None and "policy" not in inputs:
        yield say("manifest.json names a policy file and no digest of it")
    if "scores" not in inputs and inputs.keys() - {"policy"}:
        yield say("manifest.json names inputs, and no scores among them")
    for name, copy in RunFile.copies().items():
        stated, copied = inputs.get(name), outputs.get(copy)
        if stated is None or copied is None:
            continue
        if stated.as_given is None:
            yield say("manifest.json does not say whether {copy} is the file as given", copy=copy)
        elif stated.as_given and stated.sha256 != copied.sha256:
            yield say(
                "{copy} is not the file that the manifest names: its digest differs", copy=copy
            )
        elif not stated.as_given and stated.sha256 == copied.sha256:
            yield say("{copy} is the file that the manifest names, and said not to be", copy=copy)


def _rows(run: StatedRun) -> Iterator[Text]:
    stated = run.manifest.inputs.get("scores")
    rows = open_parquet(run.directory / RunFile.SCORES).metadata.num_rows
    if stated is not None and stated.rows != rows:
        yield say(
            "scores.parquet has {rows:,} rows, the scores that the manifest names {named}",
            rows=rows,
            named=stated.rows,
        )


def _seed(run: StatedRun) -> Iterator[Text]:
    manifest, policy = run.manifest, run.policy
    for word, stated, used in (
        ("seed", manifest.seed, policy.seed),
        ("holdout.share", manifest.holdout.share, policy.holdout or 0.0),
        ("explored.share", manifest.explored.share, policy.explore or 0.0),
    ):
        if stated != used:
            yield say(
                "{word} is {stated}, the policy says {used}", word=word, stated=stated, used=used
            )


def _correction(run: StatedRun) -> float:
    """Return what the costs of the scores were multiplied by, as the certificate has it."""
    evaluated = run.certificate.budget.evaluated
    return 1.0 if evaluated is None else evaluated.correction


def _other_scores(run: StatedRun, source: Source) -> Iterator[tuple[str, BoolArray]]:
    """Yield the columns of scores.parquet that differ from the file at hand, and (n,) where."""
    own = read_table(run.directory / RunFile.SCORES)
    given = source.table(own.column_names)
    everywhere = np.ones(len(own), dtype=np.bool_)
    factor = _correction(run)
    for name in own.column_names:
        if name not in given.column_names or len(given) != len(own):
            yield f"`{name}` is not that of {source.location}", everywhere
        # how the names of columns of cost begin
        elif name.startswith(score_column(COST, "")) and factor != 1.0:
            mine, theirs = numbers(whole(own[name])), numbers(whole(given[name]))
            wrong = np.asarray(
                ~np.isclose(mine, factor * theirs, rtol=1e-9, atol=2e-6, equal_nan=True)
            )
            yield f"`{name}` is not {factor} times that of {source.location}", wrong
        else:
            wrong = _differs(whole(own[name]), whole(given[name]))
            yield f"`{name}` differs from {source.location}", wrong


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
        # a copy may hold the same times in another unit, which is another text
        column = column.cast(pa.timestamp("us"))
    return column.cast(pa.large_string())


def check_evaluation(run: StatedRun) -> Iterator[Check]:
    """Check a plan's gain by the trial against itself and the plan; nothing where none is stated.

    The gain itself cannot be had from a run's files: only the manifest, and its signature, vouch
    for it.
    """
    if run.evaluation is None:
        return
    what = "evaluation.json is about this plan, without contradiction"
    findings, gain = CheckFindings("evaluation", what), run.evaluation.plan
    for problem in _without_gain(run) if gain is None else _of_gain(run, gain):
        findings.add(problem)
    yield findings.check()


def _without_gain(run: StatedRun) -> Iterator[Text]:
    if "trial" in run.manifest.inputs:
        yield say("the manifest names a trial, and no gain by it is stated")


def _of_gain(run: StatedRun, gain: StatedGain) -> Iterator[Text]:
    # the trial values what prices decide on, not whom the lot holds out or lets explore
    by_lot = run.manifest.holdout.users + run.manifest.explored.users
    decided = run.certificate.users - by_lot
    if gain.users != decided:
        yield say(
            "it is about {users:,} users, the plan about {decided:,}",
            users=gain.users,
            decided=decided,
        )
    if gain.rows < 1:
        yield say("it comes from {rows:,} rows", rows=gain.rows)
    for name, total in (
        ("conversions", gain.conversions),
        ("spend", gain.spend),
        ("cost", gain.cost),
    ):
        if not total.low <= total.estimate <= total.high:
            yield say(
                "{name}: {estimate} is outside {low} to {high}",
                name=name,
                estimate=total.estimate,
                low=total.low,
                high=total.high,
            )
    yield from _other_cost(run, gain)
    # scores that were given know no trial; scores that a model made do
    if "trial" not in run.manifest.inputs and "scores" in run.manifest.inputs:
        yield say("a gain is stated, and the manifest names no trial that it could come from")


def _other_cost(run: StatedRun, gain: StatedGain) -> Iterator[Text]:
    """Yield what the certificate says otherwise of what the plan costs by the trial."""
    evaluated, cost = run.certificate.budget.evaluated, gain.cost
    if evaluated is not None and (evaluated.estimate, evaluated.low, evaluated.high) != (
        cost.estimate,
        cost.low,
        cost.high,
    ):
        yield say(
            "it says that the plan costs {estimate}, the certificate {certificate}",
            estimate=cost.estimate,
            certificate=evaluated.estimate,
        )
