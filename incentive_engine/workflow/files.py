"""Commands on files that exist: check a policy, verify a run, write a sample campaign."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from incentive_engine import knobs
from incentive_engine.config.access.regular import special_file
from incentive_engine.config.inputs import Sample
from incentive_engine.config.plausibility import doubts
from incentive_engine.config.policy import Policy
from incentive_engine.config.scenario import load_scenario
from incentive_engine.data.campaign_check import check_campaign
from incentive_engine.data.sources import open_source, read_table
from incentive_engine.data.sources.source import Source
from incentive_engine.data.tables.files import atomic_directory
from incentive_engine.data.tables.frames import to_frame
from incentive_engine.errors import ConfigError, DataError, Fault, nearest
from incentive_engine.features.check import HistoryCheck, check_history
from incentive_engine.insight.budget.policy_options import load
from incentive_engine.language import Message, Text, say
from incentive_engine.language.wording import as_warnings
from incentive_engine.pipeline.trials import trials_of
from incentive_engine.run.finished import read_run
from incentive_engine.synthetic.sample import MARKETS, sample_outcomes, write_sample


def check(file: Path) -> tuple[Text, ...]:
    """Validate a policy and its data, or a scenario with its policy, and say what is in them.

    Raises
    ------
    ConfigError, DataError
        With every problem of the files, or of the tables as far as metadata and a sample tell it.
    """
    if _is_scenario(file):
        scenario = load_scenario(file)
        lines = _tables(load(scenario.policy))
        strategies = tuple(scenario.strategies)
        return (*lines, say("checked.scenario", file=str(file), strategies=strategies))
    policy = load(file)
    limits = tuple(limit.name for limit in policy.limits) or say("checked.no_limits")
    valid = say("checked.policy", file=str(file), offers=policy.offer_ids, limits=limits)
    return (*as_warnings(doubts(policy)), *_tables(policy), valid)


def _tables(policy: Policy) -> tuple[Text, ...]:
    """Return what a policy's tables and logs hold, and warnings.

    Raises
    ------
    ConfigError, DataError
        With every fault of all of them.
    """
    with TemporaryDirectory() as folder:
        users, trial = _opened(policy, Path(folder))
        tables = tuple(check_campaign(policy, users, trial))
        history = HistoryCheck()
        if policy.history is not None and policy.history.logs:
            both = {"users": users, "trial": trial}
            named = {name: table for name, table in both.items() if table is not None}
            history = check_history(policy, named, at_most=knobs.MEMORY.checked_rows)
    faults = [*chain.from_iterable(table.faults for table in tables), *history.faults]
    if faults:
        raise DataError(*dict.fromkeys(faults))
    of_tables = chain.from_iterable(table.warnings for table in tables)
    warnings = as_warnings((*of_tables, *history.warnings))
    # of a sample only a few rows were made
    counted = () if policy.data.sample is not None else [table.message() for table in tables]
    return (*warnings, *counted, *history.logs)


def _opened(policy: Policy, folder: Path) -> tuple[Source | None, Source | None]:
    """Return users and trial; of a sample campaign some of both, made into a folder."""
    data = policy.data
    if data.sample is None:
        users = data.users and open_source(data.users, renames=data.columns.users)
        return users or None, trials_of(data)
    # users and trial rows of a sample campaign that are made to check a policy against
    few = 2_000
    some = data.sample.model_copy(update={"users": few, "trial_rows": few})
    write_sample(some, folder)
    named = [f"the sample `{some.name}` ({name})" for name in ("users", "trial")]
    tables = (open_source(folder / f"{name}.parquet") for name in ("users", "trial"))
    users, trial = (
        replace(table, location=replace(table.location, shown=name))
        for table, name in zip(tables, named, strict=True)
    )
    return users, trial


def _is_scenario(file: Path) -> bool:
    """Whether a file has a scenario's own key; one that cannot be read is left to the policy."""
    try:
        text = "" if special_file(file) else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return re.search(r"^(strategies|source)\s*:", text, re.MULTILINE) is not None


def sample(name: str, *, out: Path, after: Path | None) -> Message:
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
        raise ConfigError(
            Fault("sample", say("`{name}` is not known", name=name), remedy=nearest(name, MARKETS))
        )
    if after is not None:
        return _write_outcomes(name, after, out)
    campaign = Sample.model_validate({"name": name})
    with atomic_directory(out) as directory:
        write_sample(campaign, directory)
    return say("terminal.sample", out=str(out))


def _write_outcomes(name: str, after: Path, out: Path) -> Message:
    run = read_run(after)
    campaign = run.policy.data.sample
    if campaign is None or campaign.name != name or "trial" not in run.manifest.inputs:
        what = say("is no run for the users of the sample `{name}`", name=name)
        raise DataError(
            Fault(
                f"--after {after}", what, say("one with `sample: {name}` in its policy", name=name)
            )
        )
    strange = sorted({*run.policy.offer_ids} - {offer.id for offer in MARKETS[name].offers})
    if strange:
        what = say("has offers that the sample does not know: {strange}", strange=tuple(strange))
        raise DataError(Fault(f"--after {after}", what, remedy="name a run of that sample"))
    plan = to_frame(read_table(after / "allocation.parquet", ["user_id", "offer_id"]))
    with atomic_directory(out) as directory:
        file = directory / "outcomes.csv"
        sample_outcomes(campaign, plan).to_csv(file, index=False, lineterminator="\n")
    return say("terminal.outcomes", out=str(out / "outcomes.csv"))
