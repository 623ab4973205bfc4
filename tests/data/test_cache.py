import json
import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from incentive_engine.data import step_cache as cache_module
from incentive_engine.data.step_cache import StepCache, default_root
from incentive_engine.errors import DataError


class Builder:
    """Writes one file and counts how often it was asked to."""

    def __init__(self, text: str = "made") -> None:
        self.text = text
        self.calls = 0

    def __call__(self, directory: Path) -> None:
        self.calls += 1
        (directory / "part").mkdir()
        (directory / "part" / "result.txt").write_text(self.text)


@pytest.fixture
def cache(tmp_path: Path) -> StepCache:
    return StepCache(tmp_path / "cache")


def test_a_step_is_built_once_and_skipped_while_its_inputs_stay(cache: StepCache) -> None:
    build = Builder()
    first = cache.run("train", {"trial": "abc"}, build)
    second = cache.run("train", {"trial": "abc"}, build)
    assert (first.skipped, second.skipped, build.calls) == (False, True, 1)
    assert first.path == second.path
    assert (second.path / "part" / "result.txt").read_text() == "made"


@pytest.mark.parametrize(
    ("step", "inputs"), [("train", {"trial": "abd"}), ("score", {"trial": "abc"}), ("train", {})]
)
def test_other_inputs_or_another_step_are_another_entry(
    cache: StepCache, step: str, inputs: dict[str, str]
) -> None:
    cache.run("train", {"trial": "abc"}, Builder())
    assert not cache.run(step, inputs, Builder()).skipped


def test_the_order_in_which_inputs_are_named_does_not_matter(cache: StepCache) -> None:
    cache.run("train", {"a": "1", "b": "2"}, Builder())
    assert cache.run("train", {"b": "2", "a": "1"}, Builder()).skipped


def test_a_change_of_the_engine_rebuilds(
    cache: StepCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.run("train", {}, Builder())
    monkeypatch.setattr(cache_module, "_engine", lambda *_: {"source": "changed"})
    assert not cache.run("train", {}, Builder()).skipped


def test_the_engine_is_known_by_its_source_and_its_libraries() -> None:
    engine = cache_module._engine(())
    assert len(engine["source"]) == 64
    assert {"incentive-engine", "lightgbm", "numpy"} < set(engine)


def _shorten(path: Path) -> None:
    path.write_text("ma")


def _garble(path: Path) -> None:
    path.write_text("mad3")


def _remove(path: Path) -> None:
    path.unlink()


def _add(path: Path) -> None:
    path.with_name("stray.txt").write_text("")


@pytest.mark.parametrize("harm", [_shorten, _garble, _remove, _add])
def test_a_damaged_entry_is_rebuilt(cache: StepCache, harm: Callable[[Path], None]) -> None:
    build = Builder()
    harm(cache.run("train", {}, build).path / "part" / "result.txt")
    again = cache.run("train", {}, build)
    assert (again.skipped, build.calls) == (False, 2)
    assert (again.path / "part" / "result.txt").read_text() == "made"
    assert [file.name for file in (again.path / "part").iterdir()] == ["result.txt"]
    assert [entry.name for entry in again.path.parent.iterdir()] == [again.path.name]


@pytest.mark.parametrize("content", ["", "{", "[]", json.dumps({"other": "0"})])
def test_an_entry_with_a_damaged_list_of_files_is_rebuilt(cache: StepCache, content: str) -> None:
    (cache.run("train", {}, Builder()).path / "entry.json").write_text(content)
    assert not cache.run("train", {}, Builder()).skipped
    assert cache.run("train", {}, Builder()).skipped


def test_a_file_in_the_place_of_an_entry_is_replaced(cache: StepCache) -> None:
    path = cache.run("train", {}, Builder()).path
    cache_module._discard(path)
    path.write_text("not a directory")
    assert (cache.run("train", {}, Builder()).path / "entry.json").is_file()


def test_a_step_that_fails_leaves_nothing(cache: StepCache, tmp_path: Path) -> None:
    def fail(directory: Path) -> None:
        (directory / "half.txt").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.run("train", {}, fail)
    assert not list((tmp_path / "cache").rglob("*.txt"))
    assert not cache.run("train", {}, Builder()).skipped


def test_what_no_run_has_used_for_long_goes_when_something_new_is_built(cache: StepCache) -> None:
    unused, used, young = (cache.run("train", {"trial": name}, Builder()).path for name in "abc")
    left = unused.with_name(".killed.partial")
    left.mkdir()
    long_ago = time.time() - 61 * 24 * 3600
    for entry in (unused, used, left):
        os.utime(entry, (long_ago, long_ago))
    cache.run("train", {"trial": "b"}, Builder())
    assert unused.exists()  # finding an entry removes nothing
    new = cache.run("train", {"trial": "d"}, Builder()).path
    assert {*new.parent.iterdir()} == {used, young, new}


def test_an_entry_that_another_process_finished_meanwhile_is_used(cache: StepCache) -> None:
    other = Builder("other")

    def slow(directory: Path) -> None:
        cache.run("train", {}, other)
        (directory / "late.txt").write_text("late")

    step = cache.run("train", {}, slow)
    assert (step.path / "part" / "result.txt").read_text() == "other"
    assert [entry.name for entry in step.path.parent.iterdir()] == [step.path.name]


def _build_in_a_process(root: Path, barrier: object) -> None:
    barrier.wait()  # type: ignore[attr-defined]  # a barrier of multiprocessing has no public type
    step = StepCache(root).run("train", {}, Builder())
    assert (step.path / "part" / "result.txt").read_text() == "made"


def test_processes_that_build_the_same_entry_all_end_well(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    workers = [
        context.Process(target=_build_in_a_process, args=(tmp_path, barrier)) for _ in range(2)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert len(list((tmp_path / "train").iterdir())) == 1


def test_a_cache_that_cannot_be_written_says_what_to_set(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="set INCENTIVE_CACHE to a directory that you may write"):
        StepCache(tmp_path / "file" / "cache").run("train", {}, Builder())


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/planner")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("INCENTIVE_CACHE", raising=False)
    assert default_root() == Path("/home/planner/.cache/incentive-engine")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert default_root() == Path("/home/planner/.cache/incentive-engine")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache")
    assert default_root() == Path("/var/cache/incentive-engine")
    monkeypatch.setenv("INCENTIVE_CACHE", "/fast/cache")
    assert default_root() == Path("/fast/cache")
