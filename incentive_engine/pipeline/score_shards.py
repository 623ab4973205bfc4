"""Scores made by shards: blocks of users go out as files, scores come back as files."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from incentive_engine.data.users import UserFile, UserTable
from incentive_engine.fleet import SharedWork

Score = Callable[[UserTable], pd.DataFrame]
"""Scores users; it goes to other processes, so it is a function of a module, or a part of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreShard:
    """Scores the users of one file."""

    score: Score

    def __call__(self, file: str) -> str:
        """Score the users of a file, and return the file of their scores.

        The scores appear whole or not at all: a task that runs twice writes the same twice.
        """
        path = Path(file)
        users: UserTable = pickle.loads(path.read_bytes())  # noqa: S301 - this run's own file
        scores = path.with_suffix(".scores")
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as partial:
            pickle.dump(self.score(users), partial)
        Path(partial.name).rename(scores)
        return str(scores)


@contextmanager
def scored_blocks(
    users: UserFile, score: Score, shared: SharedWork
) -> Iterator[Iterator[pd.DataFrame]]:
    """Give the scores of users, block by block in their order, as a fleet makes them."""
    shared.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    task = ScoreShard(score=score)
    with tempfile.TemporaryDirectory(dir=shared.folder, prefix="scores-") as folder:
        yield _scored(users, task, Path(folder), shared)


def _scored(
    users: UserFile, task: ScoreShard, folder: Path, shared: SharedWork
) -> Iterator[pd.DataFrame]:
    wave: list[str] = []
    for number, block in enumerate(users.blocks()):
        file = folder / f"{number:06d}.users"
        file.write_bytes(pickle.dumps(block, protocol=pickle.HIGHEST_PROTOCOL))
        wave.append(str(file))
        # blocks that lie on the disk at a time
        if len(wave) == 64:
            yield from _collected(task, wave, shared)
            wave = []
    yield from _collected(task, wave, shared)


def _collected(task: ScoreShard, wave: list[str], shared: SharedWork) -> Iterator[pd.DataFrame]:
    for file in shared.fleet.map(task, wave):
        scores: pd.DataFrame = pickle.loads(Path(file).read_bytes())  # noqa: S301 - as above
        yield scores
        Path(file).unlink()
        Path(file).with_suffix(".users").unlink()
