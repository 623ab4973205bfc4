"""History features as a file: one row per user or trial row."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from incentive_engine.data.step_cache import StepCache
from incentive_engine.data.tables.files import check_suffix
from incentive_engine.data.tables.frames import to_frame, write_blocks
from incentive_engine.errors import ConfigError, Fault
from incentive_engine.features.plan import history_of
from incentive_engine.features.report import history_notes, history_warnings
from incentive_engine.fleet import SharedWork
from incentive_engine.insight.budget.policy_options import load
from incentive_engine.language import Text, say
from incentive_engine.language.wording import as_warnings
from incentive_engine.pipeline.campaign_tables import campaign_tables
from incentive_engine.pipeline.history import campaign_history, feature_blocks
from incentive_engine.pipeline.steps import Progress, Steps, quiet

Table = Literal["users", "trial"]


def make_features(
    policy_file: Path | None,
    *,
    table: Table,
    out: Path,
    progress: Progress = quiet,
    shared: SharedWork | None = None,
) -> tuple[Text, ...]:
    """Write the history features of users or trial into a new file; return what was done.

    Raises
    ------
    ConfigError, DataError
        When the policy names no history or no such table, or the logs cannot give the features.
    """
    policy = load(policy_file)
    history_of(policy)
    check_suffix(out)
    cache, steps = StepCache(), Steps(progress, shared=shared)
    campaign = campaign_tables(policy, cache=cache, steps=steps)
    named = {"users": campaign.users, "trial": campaign.trial}
    tables = {name: found for name, found in named.items() if found is not None}
    if table not in tables:
        raise ConfigError(Fault(f"data.{table}", "is missing", "the table to make features for"))
    moments = history_of(policy).moments
    dated = {"users": moments.users, "trial": moments.trial}
    tables = {
        name: found
        for name, found in tables.items()
        if name == table or dated[name] is not None or campaign.log is not None
    }
    history = campaign_history(policy, tables, log=campaign.log, cache=cache, steps=steps)
    with steps.step("features"):
        features = history.features(table)
        write_blocks(map(to_frame, feature_blocks(history, table, features)), out)
    notes = history_notes(history.log, features)
    done = say(
        "terminal.features",
        columns=len(features.columns),
        rows=len(features.seen),
        out=str(out),
        seconds=steps.seconds["features"],
    )
    warnings = as_warnings(history_warnings(history.log, history.rows[table]))
    return (*warnings, *(say("noted.note", text=note) for note in notes), done)
