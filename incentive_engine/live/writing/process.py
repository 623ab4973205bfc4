"""Starts the process that writes a ledger, and starts it again whenever it has ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from incentive_engine.errors import DataError, Fault, IncentiveError, SetupError
from incentive_engine.live.ledger.commands import Answer, Command
from incentive_engine.live.ledger.stores.store import Terms, UnavailableError
from incentive_engine.live.writing.client import AsyncClient
from incentive_engine.live.writing.wire import Commit
from incentive_engine.live.writing.writer import Job
from incentive_engine.parallel import Advance, unheard
from incentive_engine.pipeline.steps import Progress, quiet


class WriterProcess:
    """A ledger as an event loop sees it.

    Parameters
    ----------
    launched
        A process that waits for its first job; left out, `start` launches one.
    progress
        Is told how far a ledger of before is brought up to date.
    """

    def __init__(
        self,
        ledger: str,
        terms: Terms,
        *,
        launched: subprocess.Popen[bytes] | None = None,
        on_commit: Callable[[Commit], None] = lambda _: None,
        progress: Progress = quiet,
    ) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="incentive-ledger-"))
        self._job = Job(ledger=ledger, terms=terms, socket=str(self._folder / "writer"))
        self._on_commit = on_commit
        self._client = AsyncClient(on_commit)
        self._launched = launched
        self._progress = progress
        self._process: subprocess.Popen[bytes] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self.restarts = 0

    async def start(self) -> None:
        """Start the writer, and from then on see to it that there is one.

        Raises
        ------
        DataError
            When the ledger cannot be opened.
        """
        try:
            await self._start()
        except BaseException:
            if self._process is not None:
                self._process.terminate()  # it may be long about a ledger of before
            await self.stop()
            raise
        self._watch = asyncio.create_task(self._keep())
        self._refuse_late()

    async def ask(self, command: Command) -> Answer:
        """Return the answer to a command; `Refused` as unavailable while there is no writer."""
        return await self._client.ask(command)

    @property
    def client(self) -> AsyncClient:
        """The connection to the writer of now."""
        return self._client

    @property
    def pid(self) -> int | None:
        """The number of the writer's process."""
        return None if self._process is None else self._process.pid

    async def stop(self) -> None:
        """Let the writer finish what it was asked, and end it."""
        self._stopping.set()
        if self._process is not None:
            _end(self._process)
            await asyncio.to_thread(self._process.wait)
        if self._watch is not None:
            await self._watch
        self._client.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _start(self) -> None:
        launched, self._launched = self._launched, None
        self._process = launched or launch()
        await asyncio.to_thread(_give, self._process, self._job, self._progress)
        _, self._client = await asyncio.get_running_loop().create_unix_connection(
            lambda: AsyncClient(self._on_commit), self._job.socket
        )

    def _refuse_late(self) -> None:
        """Refuse what waits too long, now and from time to time."""
        # seconds within which a command is answered; later, whether it was done is not known
        answered = 5.0
        self._client.expire(answered)
        if not self._stopping.is_set():
            # seconds after which it is looked for commands that wait too long
            late = 0.25
            asyncio.get_running_loop().call_later(late, self._refuse_late)

    async def _keep(self) -> None:
        failures = 0
        # seconds before a writer is started again, by how many starts have failed
        pauses = (0.0, 0.1, 0.5, 1.0, 2.0)
        while self._process is not None:
            await asyncio.to_thread(self._process.wait)
            if self._stopping.is_set():
                return
            _end(self._process)
            self._client.close()
            await asyncio.sleep(pauses[min(failures, len(pauses) - 1)])
            if self._stopping.is_set():
                return
            try:
                await self._start()
            except (IncentiveError, OSError) as error:
                failures += 1
                sys.stderr.write(f"{error}\n")
            else:
                failures, self.restarts = 0, self.restarts + 1
            if self._stopping.is_set():  # it was asked to stop while this one was starting
                _end(self._process)


def launch() -> subprocess.Popen[bytes]:
    """Return a process that loads what a writer needs, and waits for its job.

    In a group of its own: Ctrl-C is for the one who serves, who ends it by closing its pipes.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "incentive_engine.live.writing.writer"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        process_group=0,
    )


@contextlib.contextmanager
def launched_early() -> Iterator[subprocess.Popen[bytes]]:
    """Yield a process that loads while others are at work; end it where it got no job."""
    process = launch()
    try:
        yield process
    except BaseException:
        _end(process)
        process.wait()
        raise


def _give(process: subprocess.Popen[bytes], job: Job, progress: Progress) -> None:
    """Give a process its job, tell how far it is, and return once it is ready.

    Raises
    ------
    IncentiveError
        With what keeps it from its ledger.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(msgspec.json.encode(job) + b"\n")
        process.stdin.flush()
    refusal = None
    with contextlib.ExitStack() as steps:
        advance: Advance = unheard
        for line in process.stdout:
            said = json.loads(line)
            if "ready" in said:
                return
            if "error" in said:
                refusal = said
                break
            if "step" in said:
                advance = steps.enter_context(progress(said["step"], said["parts"]))
            else:
                advance(said["done"])
    _end(process)
    process.wait()
    if refusal is None:
        raise SetupError(
            Fault(job.ledger, "its writer has ended without a word", remedy="start it again")
        )
    kind = DataError if refusal["is_lasting"] else UnavailableError
    raise kind(*(Fault(*fault) for fault in refusal["error"]))


def _end(process: subprocess.Popen[bytes]) -> None:
    """Close the pipes to a writer, which is how it learns that it is over."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
