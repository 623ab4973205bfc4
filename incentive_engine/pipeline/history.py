"""History features as cached steps: logs are cut into shards once, and read for each table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from incentive_engine.config.history import EventLog, Moments
from incentive_engine.config.policy import Policy
from incentive_engine.data.sources.source import Source
from incentive_engine.data.step_cache import StepCache
from incentive_engine.domain import USER_ID
from incentive_engine.errors import DataError, Fault
from incentive_engine.features.computing.events import ComputedFeatures
from incentive_engine.features.computing.finish import Values
from incentive_engine.features.local import ShardFeatures, features_of_rows
from incentive_engine.features.logs.log import LogReader
from incentive_engine.features.logs.moments import MomentRows, moment_column
from incentive_engine.features.logs.opening import open_log
from incentive_engine.features.logs.source import LogSource
from incentive_engine.features.plan import FeaturePlan, feature_plan, history_of, read_moments
from incentive_engine.features.report import history_warnings
from incentive_engine.features.shards import (
    ShardedLog,
    open_sharded_log,
    write_sharded_log,
)
from incentive_engine.fleet import Fleet, Processes
from incentive_engine.language import Message, say
from incentive_engine.pipeline.steps import Steps


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CampaignHistory:
    """The logs of a campaign, and the rows that features are made for.

    Attributes
    ----------
    tables
        ``users``, ``trial`` or both.
    rows
        The same tables' users and moments.
    """

    log: ShardedLog
    plan: FeaturePlan
    tables: Mapping[str, Source]
    rows: Mapping[str, MomentRows]
    fleet: Fleet | None = None
    """Who makes the features; None for processes of this machine."""

    def features(self, name: str) -> ComputedFeatures:
        """Return the features of a table's rows, in their order."""
        workers = _workers(self.log.events)
        return features_of_rows(
            ShardFeatures(log=self.log, plan=self.plan),
            user=self.rows[name].user,
            moment=self.rows[name].moment,
            fleet=self.fleet or Processes(workers=workers),
        )

    def key(self, name: str) -> dict[str, str]:
        """Return what the features of a table depend on."""
        return {
            "log": self.log.directory.name,
            "plan": json.dumps(asdict(self.plan), sort_keys=True, default=str),
            "table": self.tables[name].digest(),
            # moments of a column are in the table's digest; their span tells another time zone
            "moment": f"{self.rows[name].column} {self.rows[name].span}",
        }


def campaign_history(
    policy: Policy,
    tables: Mapping[str, Source],
    *,
    log: Path | None = None,
    cache: StepCache,
    steps: Steps,
) -> CampaignHistory:
    """Return the history of a campaign's tables; the logs are read unless that is done already.

    Parameters
    ----------
    log
        The event log of a sample campaign.

    Raises
    ------
    ConfigError, DataError
        When a table has no moment, a log cannot be read, or features are asked that the logs
        cannot give.
    """
    policy = _with_sample_log(policy, log)
    rows = read_moments(policy, tables)
    with steps.step("read the event logs"):
        fleet = None if steps.shared is None else steps.shared.fleet
        shards = sharded_log(policy, cache=cache, fleet=fleet)
    plan = feature_plan(policy, shards, rows)
    return CampaignHistory(log=shards, plan=plan, tables=tables, rows=rows, fleet=fleet)


def _with_sample_log(policy: Policy, log: Path | None) -> Policy:
    """Return the policy with the log and the moments of its sample, where it asks for them."""
    history = history_of(policy)
    if history.logs or log is None:
        return policy
    from incentive_engine.synthetic.sample import SampleCampaign

    own = EventLog.model_validate({"source": str(log), **SampleCampaign.LOG_COLUMNS})
    moment, assigned = SampleCampaign.MOMENT, SampleCampaign.ASSIGNED
    moments = Moments(users=moment.isoformat(), trial=assigned)
    resolved = history.model_copy(update={"events": (own,), "moments": moments})
    return policy.model_copy(update={"history": resolved})


def sharded_log(policy: Policy, *, cache: StepCache, fleet: Fleet | None = None) -> ShardedLog:
    """Return the logs of a policy in shards."""
    history = history_of(policy)
    sources = tuple(open_log(log) for log in history.logs)
    settings = {
        "version": ShardedLog.VERSION,
        "timezone": history.timezone,
        "own_campaigns": history.own_campaigns,
        "logs": [_settings(source) for source in sources],
    }
    step = cache.run(
        "events",
        {"settings": json.dumps(settings, sort_keys=True)},
        lambda directory: write_sharded_log(
            LogReader(history=history, sources=sources),
            directory,
            fleet=fleet or _fleet(sources),
        ),
    )
    return open_sharded_log(step.path)


def _settings(source: LogSource) -> dict[str, Any]:
    log: EventLog = source.log
    named = log.model_dump(mode="json", exclude={"source"})
    return {**named, "table": source.table.digest(), "where": source.where}


def _workers(rows: int) -> int | None:
    """Return 1 where one process reads so many rows sooner than others have started."""
    return 1 if rows < 4_000_000 else None


def _fleet(sources: tuple[LogSource, ...]) -> Processes:
    rows = sum(source.table.rows() or 0 for source in sources)
    return Processes(workers=_workers(rows))


def with_features(history: CampaignHistory, name: str, *, cache: StepCache, steps: Steps) -> Path:
    """Return a table with its history features beside its own columns, as Parquet."""
    with steps.step(f"make history features of the {name}"):
        step = cache.run(
            "features",
            history.key(name),
            lambda directory: _write_joined(history, name, directory / "table.parquet"),
        )
    return step.path / "table.parquet"


def _write_joined(history: CampaignHistory, name: str, path: Path) -> None:
    table, column = history.tables[name], history.rows[name].column
    own = [own_name for own_name in table.columns if own_name != column]
    features = history.features(name).columns
    if both := [name for name in features if name in own]:
        what = say("has columns that history features are called: {both}", both=tuple(both[:5]))
        remedy = "rename them, or leave these features out"
        raise DataError(Fault(table.where, what, remedy=remedy))
    writer: pq.ParquetWriter | None = None
    start = 0
    try:
        for block in table.blocks(own):
            rows = slice(start, start + block.num_rows)
            columns_made = {name: _arrow(values[rows]) for name, values in features.items()}
            columns = dict(zip(block.column_names, block.columns, strict=True))
            joined = pa.table({**columns, **columns_made})
            writer = writer or pq.ParquetWriter(path, joined.schema)
            writer.write_table(joined)
            start += block.num_rows
    finally:
        if writer is not None:
            writer.close()


def stale_logs(history: CampaignHistory) -> tuple[Message, ...]:
    """Return which logs end before the users' moment; nothing where there are no users."""
    rows = history.rows.get("users")
    return () if rows is None else tuple(history_warnings(history.log, rows))


def feature_blocks(
    history: CampaignHistory, name: str, features: ComputedFeatures
) -> Iterator[pa.Table]:
    """Yield ``user_id``, ``moment`` and the features of a table's rows."""
    rows = history.rows[name]
    moment = "moment"
    columns = {USER_ID: rows.user, moment: moment_column(rows)}
    of_history = {feature: _arrow(values) for feature, values in features.columns.items()}
    yield pa.table({**columns, **of_history})


def _arrow(feature: Values) -> pa.Array:
    """Return a feature as it is written: empty, not NaN."""
    return pa.array(feature, from_pandas=True)
