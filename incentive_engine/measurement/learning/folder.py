"""A folder of learned campaigns: a Parquet file of trial rows for each, and an index."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import pandas as pd
from pandas.api.types import is_bool_dtype, is_datetime64_any_dtype, is_numeric_dtype

from incentive_engine.data.tables.files import digest_file
from incentive_engine.errors import ConfigError, DataError, Fault
from incentive_engine.language import Code, Message, say
from incentive_engine.measurement.learning.trial_rows import CampaignRows


@dataclass(frozen=True, slots=True, kw_only=True)
class PastFeature:
    """What a feature was in one campaign."""

    MOST_LEVELS: ClassVar = 1_000

    kind: Literal["number", "truth", "time", "text"]
    median: float | None = None
    """Of the absolute values of numbers other than 0."""
    levels: tuple[str, ...] = ()
    """The most frequent texts."""

    @classmethod
    def of(cls, column: pd.Series) -> PastFeature:
        """Return what a column holds."""
        if is_bool_dtype(column):
            return cls(kind="truth")
        if is_numeric_dtype(column):
            size = column[column.notna() & (column != 0)].abs()
            return cls(kind="number", median=float(size.median()) if len(size) else None)
        if is_datetime64_any_dtype(column):
            return cls(kind="time")
        levels = column.dropna().astype(str).value_counts().index[: cls.MOST_LEVELS]
        return cls(kind="text", levels=tuple(levels))

    def change_from(self, before: PastFeature, column: pd.Series) -> Message | None:
        """Return how the meaning differs from that in an earlier campaign; None where it does not.

        Parameters
        ----------
        column
            What this one was found in.
        """
        if self.kind != before.kind:
            return say("learn.kind", before=before.kind, now=self.kind)
        # a number whose median grew or shrank by so much is taken for another unit
        unit = 10.0
        if self.median and before.median:
            times = self.median / before.median
            if not 1.0 / unit < times < unit:
                return say("learn.unit", times=times)
        if before.levels and len(before.levels) < self.MOST_LEVELS:
            values = column.dropna().astype(str)
            known_share = float(values.isin(before.levels).mean()) if len(values) else 1.0
            # the share of rows whose value earlier campaigns had as well, at least
            known_levels = 0.5
            if known_share < known_levels:
                return say("learn.levels", known=known_share)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedFolder:
    """What `learn` has written.

    Attributes
    ----------
    file, planned
        The rows of the trial, and of those whom the plan alone decided on.
    """

    campaign: str
    file: Path
    planned: Path
    held: int
    explored: int
    by_plan: int
    strangers: int

    def messages(self) -> tuple[Message, ...]:
        """Return what a planner reads."""
        lines = [
            say("learn.rows", campaign=self.campaign, held=self.held, explored=self.explored),
            say("learn.planned", rows=self.by_plan, file=str(self.planned)),
            say("learn.next", folder=str(self.file.parent)),
        ]
        if self.strangers:
            lines.insert(1, say("learn.strangers", rows=self.strangers))
        return tuple(lines)

    def to_text(self, code: Code = "en") -> str:
        """Return the lines that the terminal shows."""
        return "\n".join(message.text(code) for message in self.messages())


def write_lesson(
    lesson: CampaignRows, folder: Path, *, accepted: Collection[str] = ()
) -> LearnedFolder:
    """Add a campaign to a folder of trials.

    Parameters
    ----------
    accepted
        Features whose changed meaning the planner answers for.

    Raises
    ------
    DataError
        When the campaign is there already, or features are others or mean something else than in
        earlier campaigns.
    """
    folder.mkdir(parents=True, exist_ok=True)
    index = _read_index(folder)
    trial = lesson.trial
    features = {name: PastFeature.of(trial[name]) for name in lesson.features}
    _refuse_again(index, lesson, folder)
    _refuse_changes(index, trial, features, folder, accepted)
    name = _free_name(lesson.campaign, {entry["campaign"] for entry in index})
    file, planned = folder / f"{name}.parquet", folder / "_planned" / f"{name}.parquet"
    planned.parent.mkdir(exist_ok=True)
    # hidden until the index knows it: what a killed process leaves is no trial
    for path, rows in ((planned, lesson.planned), (file, trial)):
        rows.assign(campaign=name).to_parquet(_hidden(path), index=False)
    entry = {
        "campaign": name,
        "run": lesson.run.digest,
        "rows": len(trial),
        "sha256": digest_file(_hidden(file)),
        "features": {feature: asdict(content) for feature, content in features.items()},
    }
    text = json.dumps([*index, entry], ensure_ascii=False, indent=2)
    _hidden(folder / "_campaigns.json").write_text(text + "\n", encoding="utf-8")
    for path in (folder / "_campaigns.json", planned, file):
        _hidden(path).replace(path)
    return LearnedFolder(
        campaign=name,
        file=file,
        planned=planned,
        held=lesson.held,
        explored=lesson.explored,
        by_plan=len(lesson.planned),
        strangers=lesson.strangers,
    )


def _hidden(path: Path) -> Path:
    return path.with_name(f".{path.name}")


def _read_index(folder: Path) -> list[dict[str, Any]]:
    file = folder / "_campaigns.json"
    if not file.exists():
        return []
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(Fault(str(file), "is broken", "what `learn` wrote")) from error
    return list(content)


def _refuse_again(known: list[dict[str, Any]], lesson: CampaignRows, folder: Path) -> None:
    for entry in known:
        if entry["run"] == lesson.run.digest:
            what = say("learn.again", run=lesson.campaign, campaign=entry["campaign"])
            remedy = "nothing needs to be done, or name another folder"
            raise DataError(Fault(f"--into {folder}", what, "each campaign once", remedy))


def _refuse_changes(
    known: list[dict[str, Any]],
    trial: pd.DataFrame,
    features: dict[str, PastFeature],
    folder: Path,
    accepted: Collection[str],
) -> None:
    """Refuse features that are others, or mean something else, than in the campaign before."""
    if unknown := sorted({*accepted} - {*features}):
        raise ConfigError(Fault("--accept", say("learn.no_feature", feature=unknown[0])))
    if not known:
        return
    before = {
        name: PastFeature(**{**content, "levels": tuple(content["levels"])})
        for name, content in known[-1]["features"].items()
    }
    where = f"--into {folder}"
    remedy = "keep campaigns with other features in a folder of their own"
    faults = [
        Fault(where, say("learn.one_only", feature=name), "the same features", remedy)
        for name in sorted(before.keys() ^ features.keys())
    ]
    for name in sorted(before.keys() & features.keys() - {*accepted}):
        change = features[name].change_from(before[name], trial[name])
        if change is not None:
            what = say("learn.changed", feature=name, change=change)
            answer = say("learn.answer", feature=name)
            before_it = say("learn.as_in", campaign=known[-1]["campaign"])
            faults.append(Fault(where, what, before_it, answer))
    if faults:
        raise DataError(*faults)


def _free_name(wanted: str, names: set[str]) -> str:
    name, number = wanted.lstrip("._") or "campaign", 1
    while name in names:
        number += 1
        name = f"{wanted}-{number}"
    return name
