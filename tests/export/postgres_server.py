"""A PostgreSQL server of one's own: a fresh cluster in a temporary directory."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

UNPRIVILEGED = "nobody"
"""PostgreSQL refuses to run as root."""


def binaries() -> Path | None:
    """Return the directory of the server's programs: of the PATH, or where Debian puts them."""
    on_path = shutil.which("initdb")
    if on_path and shutil.which("pg_ctl"):
        return Path(on_path).resolve().parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@contextmanager
def server(programs: Path, *, durable: bool = False) -> Iterator[str]:
    """Yield the URL of a running server that nobody else reaches; stop it at the end.

    Parameters
    ----------
    durable
        Whether what is committed survives a power cut; tests do without, since that is slow.
    """
    folder = Path(tempfile.mkdtemp(prefix="incentive-pg-"))
    try:
        if os.geteuid() == 0:
            owner = pwd.getpwnam(UNPRIVILEGED)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        data = folder / "data"
        run(
            programs / "initdb",
            "-D",
            data,
            "-U",
            "tester",
            "--auth=trust",
            "--no-sync",
            "-E",
            "UTF8",
        )
        settings = f"-c listen_addresses='' -c fsync={'on' if durable else 'off'} -k {folder}"
        run(programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", settings, "start")
        try:
            yield f"postgresql://tester@/postgres?host={folder}"
        finally:
            run(programs / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def run(program: Path, *words: str | Path) -> None:
    """Run a program of the server as a user who may."""
    done = subprocess.run(  # noqa: S603 - programs of the server
        [str(program), *map(str, words)],
        user=UNPRIVILEGED if os.geteuid() == 0 else None,
        extra_groups=[] if os.geteuid() == 0 else None,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
