"""Runs public learners on a trial: each in a process of its own, within limits, kept on disk."""

from __future__ import annotations

import json
import resource
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from peer_learners import NOT_INSTALLED

from incentive_engine.data.trials.trial import Trial
from incentive_engine.domain import FloatArray
from incentive_engine.uplift.boosting.features import learn_encoder


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """One learner's (n, k) effects for the people asked about, and what they took."""

    learner: str
    effect: FloatArray
    seconds: float
    gigabytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Peers:
    """Which public learners run, with which interpreters, and how far they may go."""

    learners: tuple[str, ...]
    pythons: dict[str, str]
    """Interpreter per library; `python` is everyone else's."""
    seconds: float
    gigabytes: float
    keep: Path | None
    """Directory of earlier answers; the same case is not run twice."""

    def answers(self, trial: Trial, ask: pd.DataFrame, case: str) -> Iterator[Answer]:
        """Yield the effects of every learner that is installed and stays within the limits."""
        missing = [learner for learner in self.learners if self._kept(case, learner) is None]
        with tempfile.TemporaryDirectory() as directory:
            if missing:
                _write_task(Path(directory), trial, ask)
            for learner in self.learners:
                if learner in missing:
                    self._run(learner, Path(directory), case)
                answer = (
                    self._kept(case, learner) if self.keep else _read(Path(directory), learner)
                )
                if answer is not None:
                    yield answer

    def _run(self, learner: str, task: Path, case: str) -> None:
        python = self.pythons.get(learner.split(" ", maxsplit=1)[0], self.pythons["python"])
        script = Path(__file__).with_name("peer_learners.py")
        (task / "effect.npy").unlink(missing_ok=True)
        command = [python, "-W", "ignore", str(script), str(task), learner]
        try:
            done = subprocess.run(  # noqa: S603
                command,
                capture_output=True,
                text=True,
                check=False,
                timeout=self.seconds,
                preexec_fn=self._limit_memory,
            )
        except subprocess.TimeoutExpired:
            print(f"{learner}: left out, it took more than {self.seconds:,.0f} s")
            return
        if done.returncode == NOT_INSTALLED:
            print(f"{learner}: left out, {done.stdout.strip()}")
        elif done.returncode:
            print(f"{learner}: left out, it failed: {done.stderr.strip().splitlines()[-1:]}")
        elif self.keep:
            directory = self._place(case, learner)
            directory.mkdir(parents=True, exist_ok=True)
            for name in ("effect.npy", "cost.json"):
                (directory / name).write_bytes((task / name).read_bytes())

    def _limit_memory(self) -> None:
        size = int(self.gigabytes * 1e9)
        resource.setrlimit(resource.RLIMIT_DATA, (size, size))

    def _place(self, case: str, learner: str) -> Path:
        return (self.keep or Path()) / case / learner.replace(" ", "_")

    def _kept(self, case: str, learner: str) -> Answer | None:
        return _read(self._place(case, learner), learner) if self.keep else None


def _write_task(directory: Path, trial: Trial, ask: pd.DataFrame) -> None:
    encoder = learn_encoder(trial.features)
    np.savez(
        directory / "learn.npz",
        x=encoder.encode(trial.features, where="trial").astype(np.float64),
        arm=trial.arm.astype(np.int64),
        y=trial.conversion,
    )
    asked = encoder.encode(ask, where="users").astype(np.float64)
    np.savez(directory / "ask.npz", x=asked)


def _read(directory: Path, learner: str) -> Answer | None:
    if not (directory / "effect.npy").exists():
        return None
    cost = json.loads((directory / "cost.json").read_text())
    return Answer(learner=learner, effect=np.load(directory / "effect.npy"), **cost)
