"""What a task does, in a process of its own: it can be stopped, and hinders no page."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

from incentive_engine.data.tables.unfinished import leave_nothing
from incentive_engine.errors import Fault, IncentiveError, SetupError
from incentive_engine.language import say
from incentive_engine.parallel import Advance
from incentive_engine.studio.tasks import Kind, Order, Outcome, TaskProgress


@dataclass(slots=True)
class Reporter:
    """Sends how far work is; steps may run side by side."""

    line: Connection
    running: dict[int, tuple[str, float, float]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    number: int = 0

    @contextmanager
    def __call__(self, step: str, parts: float = 0) -> Iterator[Advance]:
        """Tell of one step while it runs; as `pipeline.steps.Progress`."""
        with self.lock:
            self.number += 1
            mine = self.number
            self._put(mine, step, parts, 0.0)

        def advance(more: float) -> None:
            with self.lock:
                self._put(mine, step, parts, self.running[mine][2] + more)

        yield advance
        with self.lock:
            del self.running[mine]

    def _put(self, mine: int, step: str, parts: float, done: float) -> None:
        self.running[mine] = (step, parts, done)
        self.line.send(TaskProgress(step=step, share=min(done / parts, 1.0) if parts else None))


def work(order: Order, line: Connection) -> None:
    """Do what an order says, and send its stages and its outcome."""
    signal.signal(signal.SIGTERM, lambda number, _: leave_nothing(128 + number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's, which ends its tasks
    try:
        does: dict[Kind, Callable[[Order, Reporter], Outcome]] = {
            "allocate": _allocate,
            "prepare": _prepare,
            "approve": _approve,
            "export": _export,
        }
        outcome = does[order.kind](order, Reporter(line))
    except IncentiveError as error:
        outcome = Outcome(faults=error.faults)
    except MemoryError:
        fault = Fault(str(order.file), say("studio.no_memory"), remedy=say("studio.free_memory"))
        outcome = Outcome(faults=SetupError(fault).faults)
    line.send(outcome)


def _allocate(order: Order, progress: Reporter) -> Outcome:
    from incentive_engine.insight.budget.policy_options import BudgetOptions, load_for_scores
    from incentive_engine.run.directory import default_run_directory
    from incentive_engine.workflow.allocate import allocate

    policy = load_for_scores(order.file)
    amount = policy.budget.amount if policy.budget else None
    summary = allocate(
        order.file,
        options=BudgetOptions(),
        scores=order.scores,
        out=default_run_directory(order.folder / "runs", policy.name, amount),
        author=order.by or None,
        accepted=order.accepted,
        lang=order.lang,
        progress=progress,
    )
    return Outcome(lines=tuple(summary.lines()), made=summary.directory)


def _prepare(order: Order, progress: Reporter) -> Outcome:
    from incentive_engine.workflow.studio.warm_plans import prepare

    prepare(order.file, order.text, progress=progress)
    return Outcome()


def _approve(order: Order, progress: Reporter) -> Outcome:
    from incentive_engine.workflow.delivery import approve

    lines = approve(order.file, by=order.by, note=order.note, progress=progress)
    return Outcome(lines=tuple(lines), made=order.file)


def _export(order: Order, progress: Reporter) -> Outcome:
    from incentive_engine.export.export import ExportOptions
    from incentive_engine.workflow.delivery import Target, export

    lines = export(
        order.file,
        target=Target(to=order.to),
        options=ExportOptions(preset=order.preset),
        accepted=order.accepted,
        ledger=order.ledger,
        progress=progress,
    )
    return Outcome(lines=tuple(lines), made=order.file)
