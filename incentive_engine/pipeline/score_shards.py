"""Scores made by shards: blocks of users go out as files, scores come back as files."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from incentive_engine.config.policy import Policy
from incentive_engine.data.users import UserFile, UserTable
from incentive_engine.fleet import SharedWork

if TYPE_CHECKING:
    from incentive_engine.uplift.model import EffectModel


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreShard:
    """Scores the users of one file with a model that each worker reads once."""

    model: str
    policy: Policy

    def __call__(self, file: str) -> str:
        """Score the users of a file, and return the file of their scores.

        The scores appear whole or not at all: a task that runs twice writes the same twice.
        """
        from incentive_engine.uplift.model import predict

        path = Path(file)
        users: UserTable = pickle.loads(path.read_bytes())  # noqa: S301 - this run's own file
        scores = path.with_suffix(".scores")
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as partial:
            pickle.dump(predict(_model(self.model), users, self.policy), partial)
        Path(partial.name).rename(scores)
        return str(scores)


@lru_cache(maxsize=1)
def _model(directory: str) -> EffectModel:
    from incentive_engine.uplift.storage import load_model

    return load_model(Path(directory))


@contextmanager
def scored_blocks(
    users: UserFile, model: Path, policy: Policy, shared: SharedWork
) -> Iterator[Iterator[pd.DataFrame]]:
    """Give the scores of users, block by block in their order, as a fleet makes them."""
    shared.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    task = ScoreShard(model=str(model.absolute()), policy=policy)
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
