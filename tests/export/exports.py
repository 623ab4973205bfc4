"""Runs to export: six users that one can check by eye, with any ids, offers and dates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from incentive_engine.export.export import Exported, ExportOptions, export_offers
from incentive_engine.export.formats import Format
from incentive_engine.export.keys import SecretKey
from incentive_engine.run.finished import read_run
from incentive_engine.verify.result import Check, Verification
from incentive_engine.verify.verification import verify_run
from verify.runs import HandMadeRun

KEY = SecretKey(b"a key that only tests have")
AWKWARD = ["007", '8,"9', "a\nb\r\n", "=1+1", "😀 预热", "'\\"]


def made(tmp_path: Path, **offer: Any) -> Path:
    """Return the run directory of six users: 101 gets `b`, 102 gets `a`."""
    run = HandMadeRun()
    for policy in (run.policy, run.policy_file or {}):
        policy["offers"][0].update(offer)
    return run.write(tmp_path / "run")


def everyone_treated(directory: Path, ids: Iterable[str | int]) -> Path:
    """Return a run whose six users all get an offer, by turns `b` and `a`; it does not verify."""
    run = HandMadeRun()
    run.rows["user_id"] = run.scores["user_id"] = list(ids)
    run.rows["offer_id"] = ["b", "a"] * 3
    run.rows["cost_micros"] = [1, 2, 3, 4, 5, 6]
    return run.write(directory)


def passed(run: Path) -> Verification:
    """Return a verification that a test says has passed."""
    return Verification(run_dir=run, checks=(Check(name="stand-in", ok=True, what=""),))


def exported(run: Path, to: Path, *, is_sound: bool = True, **options: Any) -> Exported:
    """Export a run; `is_sound` runs that a test bent are not verified."""
    verification = verify_run(run) if is_sound else passed(run)
    return export_offers(
        read_run(run), to, verification=verification, options=ExportOptions(**options)
    )


def files(directory: Path) -> dict[str, bytes]:
    """Return the content of all files under a directory, by relative path."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def in_small_parts(form: Format) -> Format:
    """Return a format whose files end after two rows."""
    return replace(form, sheets=tuple(replace(s, rows_per_part=2) for s in form.sheets))
