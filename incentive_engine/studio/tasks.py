"""Work beside the pages: who asked for what, how far it is, how it ended."""

from __future__ import annotations

import multiprocessing
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Literal

from incentive_engine.errors import ConfigError, Fault
from incentive_engine.language import Code, Text, say

Kind = Literal["allocate", "prepare", "approve", "export"]
State = Literal["running", "done", "failed", "stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a task is to do.

    Attributes
    ----------
    file
        A policy, or a run.
    folder
        Where new runs go.
    scores
        Given scores in place of the policy's data.
    by
        Who asks for it.
    accepted
        Warnings that this person answers for.
    to, preset, ledger
        Of an export.
    text
        Of a policy that is not saved yet.
    """

    kind: Kind
    file: Path
    folder: Path
    scores: Path | None = None
    by: str = ""
    note: str | None = None
    accepted: tuple[str, ...] = ()
    to: str = ""
    preset: str | None = None
    ledger: str | None = None
    text: str = ""
    lang: Code = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskProgress:
    """How far a task is.

    Attributes
    ----------
    step
        What it does; empty where it has not begun.
    share
        Of that step, 0 to 1; None where nobody can say.
    """

    step: str
    share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a task ended.

    Attributes
    ----------
    lines
        What there is to say of it.
    faults
        Why it failed; none where it is done.
    made
        The run or file that it made.
    """

    lines: tuple[Text, ...] = ()
    faults: tuple[Fault, ...] = ()
    made: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task as it stands."""

    id: str
    order: Order
    about: str
    """The name of the policy or run, from the folder."""
    began: datetime
    state: State = "running"
    stage: TaskProgress = field(default_factory=lambda: TaskProgress(step="", share=None))
    outcome: Outcome = field(default_factory=Outcome)
    ended: datetime | None = None


class TaskBook:
    """Every task since the studio was opened; each runs in a process of its own.

    Parameters
    ----------
    work
        Does an order in that process, and sends its stages and its outcome.
    """

    def __init__(self, work: Callable[[Order, Connection], None]) -> None:
        self._work = work
        self.version = 0
        self._tasks: dict[str, Task] = {}
        self._processes: dict[str, BaseProcess] = {}
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Task]:
        """Iterate over tasks, the latest first."""
        with self._lock:
            return iter([*self._tasks.values()][::-1])

    def find(self, name: str) -> Task | None:
        """Return a task by its id."""
        with self._lock:
            return self._tasks.get(name)

    def running(self, about: str) -> Task | None:
        """Return what runs about a policy or run."""
        return next((t for t in self if t.state == "running" and t.about == about), None)

    def is_latest(self, task: Task) -> bool:
        """Whether nothing of its kind was begun about the same since."""
        alike = (t for t in self if (t.about, t.order.kind) == (task.about, task.order.kind))
        return next(alike, task).id == task.id

    def start(self, order: Order, *, about: str, then: Callable[[], None] | None = None) -> Task:
        """Start a task.

        Parameters
        ----------
        then
            Is called when it is done.

        Raises
        ------
        ConfigError
            When the same runs already, or too many run.
        """
        # tasks at a time; more would only share the same cores
        together = 2
        with self._lock:
            running = [task for task in self._tasks.values() if task.state == "running"]
            if any(task.about == about and task.order.kind == order.kind for task in running):
                raise ConfigError(Fault(about, say("studio.runs_already")))
            if len(running) >= together:
                raise ConfigError(Fault(about, say("studio.too_many", most=together)))
            task = Task(id=secrets.token_hex(8), order=order, about=about, began=datetime.now(UTC))
            self._tasks[task.id] = task
            # tasks that are remembered
            remembered = 100
            for old in [*self._tasks][:-remembered]:
                if self._tasks[old].state != "running":
                    del self._tasks[old]
            self.version += 1
        reading, writing = multiprocessing.Pipe(duplex=False)
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=self._work, args=(order, writing), daemon=True)
        process.start()
        writing.close()
        self._processes[task.id] = process
        threading.Thread(target=self._follow, args=(task.id, process, reading, then)).start()
        return task

    def stop(self, name: str) -> None:
        """Ask a task to end; one that does not listen is ended."""
        process = self._processes.get(name)
        if process is None:
            return
        self._change(name, state="stopped")
        process.terminate()
        # seconds that a task has to end once it is asked to stop
        patience = 3.0
        process.join(patience)
        if process.is_alive():
            process.kill()

    def stop_all(self) -> None:
        """End whatever runs, before the server ends."""
        for task in self:
            if task.state == "running":
                self.stop(task.id)

    def _follow(
        self,
        name: str,
        process: BaseProcess,
        reading: Connection,
        then: Callable[[], None] | None,
    ) -> None:
        """Take over what a task's process sends, until it has ended."""
        outcome: Outcome | None = None
        last_told = 0.0
        with suppress(EOFError, OSError):
            while outcome is None:
                message = reading.recv()
                if isinstance(message, Outcome):
                    outcome = message
                elif time.monotonic() - last_told > 0.05:  # more would only be drawn over
                    last_told = time.monotonic()
                    self._change(name, stage=message)
        process.join()
        reading.close()
        self._processes.pop(name, None)
        code = process.exitcode or 0
        if outcome is None:
            fault = Fault(
                say("studio.task"), say("studio.died", code=code), remedy=say("studio.begin_anew")
            )
            outcome = Outcome(faults=(fault,))
        if then is not None and not outcome.faults:
            then()
        self._change(name, outcome=outcome, state="failed" if outcome.faults else "done")

    def _change(self, name: str, **changes: object) -> None:
        with self._lock:
            task = self._tasks[name]
            if "state" in changes and task.state != "running":
                changes["state"] = task.state  # one that was stopped stays so
            if changes.get("state") not in {None, "running"}:
                changes["ended"] = datetime.now(UTC)
            self._tasks[name] = replace(task, **changes)  # type: ignore[arg-type]  # fields of Task
            self.version += 1
