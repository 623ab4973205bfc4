"""Commands on files that exist: check a policy, verify a run, write a sample campaign."""

from __future__ import annotations

import re
from pathlib import Path

from incentive_engine.config.scenario import load_scenario
from incentive_engine.config.schema import Sample
from incentive_engine.data.files import atomic_directory
from incentive_engine.data.sample import MARKETS, write_sample
from incentive_engine.errors import ConfigError, Fault, nearest
from incentive_engine.workflow.policies import load


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


def sample(name: str, *, out: Path) -> str:
    """Write a sample campaign's users, trial and true effects into a new directory."""
    if name not in MARKETS:
        raise ConfigError(Fault("sample", f"`{name}` is not known", remedy=nearest(name, MARKETS)))
    made = Sample.model_validate({"name": name})
    with atomic_directory(out) as directory:
        write_sample(made, directory)
    return f"sample: {out}"
