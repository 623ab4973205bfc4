"""Commands on files that exist: check a policy, verify a run, write a sample campaign."""

from __future__ import annotations

import re
from pathlib import Path

from incentive_engine.config.policy import Sample
from incentive_engine.config.scenario import load_scenario
from incentive_engine.data.sources import read_table
from incentive_engine.data.tables.files import atomic_directory
from incentive_engine.data.tables.frames import to_frame
from incentive_engine.errors import ConfigError, DataError, Fault, nearest
from incentive_engine.insight.policy_options import load
from incentive_engine.run.finished import read_run
from incentive_engine.synthetic.sample import MARKETS, sample_outcomes, write_sample


def check(file: Path) -> str:
    """Validate a policy, or a scenario with its policy, and say what it is about."""
    if _is_scenario(file):
        scenario = load_scenario(file)
        load(scenario.policy)
        return f"{file}: valid; strategies: {', '.join(scenario.strategies)}"
    policy = load(file)
    limits = ", ".join(limit.name for limit in policy.limits) or "none beside the budget"
    return f"{file}: valid; offers: {', '.join(policy.offer_ids)}; limits: {limits}"


def _is_scenario(file: Path) -> bool:
    """Whether a file has a scenario's own key; one that cannot be read is left to the policy."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return re.search(r"^(strategies|source)\s*:", text, re.MULTILINE) is not None


def sample(name: str, *, out: Path, after: Path | None) -> str:
    """Write a sample campaign's users, trial and true effects into a new directory.

    Parameters
    ----------
    after
        A run for the campaign's users: what they did under its plan is written instead.

    Raises
    ------
    ConfigError, DataError
        When there is no such sample, or the run is not one of it.
    """
    if name not in MARKETS:
        raise ConfigError(Fault("sample", f"`{name}` is not known", remedy=nearest(name, MARKETS)))
    if after is not None:
        return _write_outcomes(name, after, out)
    made = Sample.model_validate({"name": name})
    with atomic_directory(out) as directory:
        write_sample(made, directory)
    return f"sample: {out}"


def _write_outcomes(name: str, after: Path, out: Path) -> str:
    run = read_run(after)
    made = run.policy.data.sample
    if made is None or made.name != name or "trial" not in run.manifest.inputs:
        what = f"is no run for the users of the sample `{name}`"
        raise DataError(
            Fault(f"--after {after}", what, f"one with `sample: {name}` in its policy")
        )
    strange = sorted({*run.policy.offer_ids} - {offer.id for offer in MARKETS[name].offers})
    if strange:
        what = f"has offers that the sample does not know: {', '.join(strange)}"
        raise DataError(Fault(f"--after {after}", what))
    plan = to_frame(read_table(after / "allocation.parquet", ["user_id", "offer_id"]))
    with atomic_directory(out) as directory:
        file = directory / "outcomes.csv"
        sample_outcomes(made, plan).to_csv(file, index=False, lineterminator="\n")
    return f"outcomes: {out / 'outcomes.csv'}"
