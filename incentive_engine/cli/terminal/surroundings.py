"""What a command needs of the machine and of its caller, said in words where it is not there."""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections.abc import Sequence

from incentive_engine.errors import ConfigError, DataError, Fault, IncentiveError, SetupError
from incentive_engine.language import Text, message_of, say


def open_streams() -> None:
    """Give standard streams that are closed a place where nothing is kept.

    Otherwise the next file that is opened gets the number of one, and what is said goes there.
    """
    streams = ("stdin", "stdout", "stderr")
    for number, name in enumerate(streams):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
            mode = "r" if number == 0 else "w"
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def check_surroundings(words: Sequence[str]) -> None:
    """Refuse to begin what cannot end well.

    Raises
    ------
    ConfigError
        When a word, or the directory, is not text in the caller's locale.
    SetupError
        When there is too little address space, or too few threads can be started.
    """
    for word in (*words, os.getcwd()):  # noqa: PTH109 - as bytes that are no text show there
        try:
            word.encode()
        except UnicodeEncodeError:
            where, remedy = ascii(word), "set LC_ALL=C.UTF-8, or give it another name"
            raise ConfigError(Fault(where, "is not UTF-8 in this locale", remedy=remedy)) from None
    _check_addresses()
    _check_threads()


def _check_addresses() -> None:
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    # bytes of address space; with less, libraries end the process while they load
    least_addresses = 3 << 30
    if limit != resource.RLIM_INFINITY and limit < least_addresses:
        what = say("is limited to {limit:.1f} GiB", limit=limit / 2**30)
        expected = say("at least {least:.0f} GiB", least=least_addresses / 2**30)
        remedy = "raise it with ulimit -v, or limit memory by a container"
        raise SetupError(Fault("address space", what, expected, remedy))


def _check_threads() -> None:
    # threads that a command starts beside one per core
    more_threads = 4
    needed, end = (os.cpu_count() or 1) + more_threads, threading.Event()
    threads = [threading.Thread(target=end.wait, daemon=True) for _ in range(needed)]
    started = 0
    try:
        for thread in threads:
            thread.start()
            started += 1
    except RuntimeError:
        what = say("only {started} can be started", started=started)
        remedy = "raise the limit: ulimit -u, or the container's number of processes"
        raise SetupError(Fault("threads", what, say("{needed}", needed=needed), remedy)) from None
    finally:
        end.set()
        for thread in threads[:started]:
            thread.join()


def _remedy_of(number: int | None) -> Text | None:
    """Return what to do about an error of the system, None where it is a defect."""
    if number is None:
        return None
    remedies: dict[int, Text] = {
        errno.ENAMETOOLONG: say("choose a shorter one"),
        errno.ENOENT: say("look at the path"),
        errno.ENOTDIR: say("name another place"),
        errno.EISDIR: say("name a file"),
        errno.EACCES: say("ask for access, or name another place"),
        errno.EPERM: say("ask for access, or name another place"),
        errno.EROFS: say("name another place"),
        errno.ELOOP: say("mend the links"),
        errno.ENOSPC: say("free some space"),
        errno.EDQUOT: say("free some space"),
        errno.EMFILE: say("raise the limit: ulimit -n"),
        errno.ENFILE: say("end other programs"),
        errno.EIO: say("look at the disk"),
        errno.EAGAIN: say("raise the limit: ulimit -u"),
        errno.ENOMEM: _more_memory(),
        errno.ESTALE: say("connect it again"),
    }
    return remedies.get(number)


def _more_memory() -> Text:
    return say("use fewer users or columns, or a machine with more memory")


def in_words(error: Exception) -> IncentiveError | None:
    """Return what an error of the system means for the caller, None where it is a defect."""
    if isinstance(error, MemoryError):
        return SetupError(Fault("memory", "there is not enough", remedy=_more_memory()))
    if isinstance(error, RecursionError) and "JSON" in str(error):
        what, remedy = (
            "lists or mappings are nested too deeply",
            "it is none that the program wrote",
        )
        return DataError(Fault("a JSON file", what, remedy=remedy))
    if isinstance(error, ImportError | OSError) and _has_no_room(error):
        remedy = "raise the limit: ulimit -v, or use a machine with more memory"
        return SetupError(Fault("memory", "a library has no room to load", remedy=remedy))
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        what, remedy = "no further one can be started", "raise the limit: ulimit -u"
        return SetupError(Fault("threads", what, remedy=remedy))
    if isinstance(error, OSError) and (mend := _remedy_of(error.errno)) is not None:
        return DataError(Fault(_place(error), message_of(error), remedy=mend))
    return None


def _has_no_room(error: Exception) -> bool:
    text = str(error).lower()
    # what the message of an import says that had no room
    cannot_load = ("shared object", "memory", "failed to map")
    return getattr(error, "errno", None) is None and any(words in text for words in cannot_load)


def _place(error: OSError) -> str:
    name = error.filename
    if not isinstance(name, str | bytes):
        return "system"
    return os.fsdecode(name).encode(errors="backslashreplace").decode()
