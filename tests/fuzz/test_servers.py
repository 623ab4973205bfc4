"""Whatever is asked of the studio or of the service, neither answers with an internal error."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from service.runs import solved
from service.servers import serving
from studio.harness import studio
from workflow.conftest import program

from .campaigns import POLICY, Rng, campaign, turn
from .hostile import (
    RAW,
    Request,
    answered,
    service_request,
    studio_request,
    thrown,
)
from .seeds import seeds

SEEDS: Final = range(2)
SHARE: Final = 0.15
REQUESTS: Final = 120
"""For one start of a server."""


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a policy, its scores, a run, and the run's ledger with decisions."""
    folder = tmp_path_factory.mktemp("good")
    now = datetime.now(UTC)
    times = {name: f"{now + timedelta(hours=hours):%Y-%m-%d %H:%M}"
             for name, hours in (("start", -6), ("end", 90))}  # fmt: skip
    solved(folder, users=400, budget={"amount": 600.0}, campaign=times | {"traffic": "even"})
    words = ("export", "run", "--to", "o.csv", "--ledger", "run.ledger")
    assert program(folder, folder / "cache", *words).returncode == 0
    return folder


def ask(url: str, rng: Rng, make: Callable[[], Request], *, seed: int) -> Iterator[bytes]:
    """Yield what many requests to one server are answered.

    Raises
    ------
    AssertionError
        When any was an internal error.
    """
    faults = []
    for _ in range(REQUESTS):
        if rng.random() < 0.03:
            thrown(url, RAW[rng.integers(len(RAW))])
        asked = make()
        status, content = answered(url, asked)
        if status >= 500:
            faults.append(f"seed {seed}: {status} {asked}: {content[:300]!r}")
        yield content
    assert not faults, "\n".join(faults)


def ask_studio(good: Path, folder: Path, seed: int) -> None:
    """Start the studio over a good campaign and an odd one, and ask it much."""
    rng = np.random.default_rng(seed)
    for name in ("run", "odd"):
        shutil.copytree(good / "run", folder / name)
    (folder / "odd" / "certificate.json").write_text("{}", encoding="utf-8")
    shutil.copyfile(good / "run.ledger", folder / "run.ledger")
    (folder / "good").mkdir()
    for name in ("policy.yaml", "scores.parquet"):
        shutil.copyfile(good / name, folder / "good" / name)
    campaign(folder, rng)
    texts = [(folder / name).read_text("utf-8") for name in ("policy.yaml", "good/policy.yaml")]
    odd = json.loads(json.dumps(POLICY))
    turn(odd, rng)
    every = (*texts, texts[1], json.dumps(odd), "", "{", "\ud800", "a: &a [*a]", "x" * 10_000)
    with studio(folder) as caller:
        token = caller.token
        for _ in ask(caller.url, rng, lambda: studio_request(rng, every, token), seed=seed):
            pass
        assert caller.get("/").status == 200


def ask_service(good: Path, ledger: Path, seed: int) -> None:
    """Serve a run, and ask it much."""
    rng, decisions = np.random.default_rng(seed), ["none"]
    with serving(good / "run", "--ledger", str(ledger)) as server:
        answers = ask(server.url, rng, lambda: service_request(rng, decisions), seed=seed)
        made = (content for content in answers if content.startswith(b'{"decision_id":"'))
        decisions.extend(json.loads(content)["decision_id"] for content in made)
        assert server.caller().call("GET", "/readyz").status == 200
        server.process.terminate()
        _, errors = server.process.communicate(timeout=30)
        assert "Traceback" not in errors, errors


def tried(asking: Callable[[int], None]) -> None:
    """Ask with many seeds, and tell of every fault at the end."""
    faults = []
    for seed in seeds(SEEDS, share=SHARE):
        try:
            asking(seed)
        except AssertionError as error:
            faults.append(f"seed {seed}: {error}")
            print(faults[-1][:4_000], flush=True)  # noqa: T201 - an hour is long to wait
    assert not faults, "\n".join(faults)


@pytest.mark.slow
def test_no_page_of_the_studio_ends_with_an_internal_error(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INCENTIVE_CACHE", str(tmp_path / "cache"))

    def asking(seed: int) -> None:
        folder = tmp_path / str(seed)
        ask_studio(good, folder, seed)
        shutil.rmtree(folder)

    tried(asking)


@pytest.mark.slow
def test_no_call_of_the_service_ends_with_an_internal_error(good: Path, tmp_path: Path) -> None:
    tried(lambda seed: ask_service(good, tmp_path / f"{seed}.db", seed))
