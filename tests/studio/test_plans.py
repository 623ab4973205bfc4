"""Plans are moved, kept, made, approved, exported and compared."""

from __future__ import annotations

import hashlib
import json
import resource
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from incentive_engine.workflow.studio.folder import Folder
from service.runs import solved

from .harness import Caller, page_of, studio


def moved(planner: Caller, folder: Path, changes: list[object], seq: int = 1) -> dict[str, object]:
    text = (folder / "policy.yaml").read_text()
    content = {
        "path": "policy.yaml", "text": text, "scores": "scores.parquet", "changes": changes,
        "seq": seq,
    }  # fmt: skip
    answer = planner.send("/policy/move", content)
    assert answer.status == 200, answer.text
    found: dict[str, object] = answer.json
    return found


def test_an_empty_folder_says_what_to_do_and_takes_the_samples(tmp_path: Path) -> None:
    with studio(tmp_path) as newcomer:
        page = newcomer.get("/").text
        assert "There is no policy in this folder yet" in page
        assert "There is no plan yet" in page
        newcomer.form("/samples")
        assert (tmp_path / "double11.yaml").is_file()
        assert "double11" in newcomer.get("/").text


def test_figures_follow_a_move(planner: Caller, folder: Path) -> None:
    assert moved(planner, folder, [])["feasible"]
    less = moved(planner, folder, [[["budget", "amount"], "300"]], seq=2)
    assert less["seq"] == 2
    assert "amount: 300" in str(less["text"])
    assert "of a budget of 300" in str(less["figures"])


def test_limits_that_cannot_hold_name_the_conflict_and_the_way_out(
    planner: Caller, folder: Path
) -> None:
    found = moved(planner, folder, [[["limits", 3, "at_least"], "50"]])
    assert found["feasible"] is False
    conflict = json.dumps(found["conflict"])
    assert "roi" in conflict
    assert "the cheapest way out" in conflict
    assert "no plan; the cheapest way out" in str(found["brief"])  # in sight on a phone
    assert moved(planner, folder, [])["feasible"]


@pytest.mark.parametrize("part", ["gain", "rules", "curve"])
def test_what_lies_deeper_is_told_when_asked(planner: Caller, folder: Path, part: str) -> None:
    moved(planner, folder, [])
    text = (folder / "policy.yaml").read_text()
    content = {"path": "policy.yaml", "text": text, "scores": "scores.parquet", "part": part}
    answer = planner.send("/policy/deeper", content)
    assert answer.status == 200
    if part == "rules":
        assert "budget" in answer.json["html"]


def test_scenarios_stand_side_by_side_and_survive_a_reload(planner: Caller, folder: Path) -> None:
    text = (folder / "policy.yaml").read_text()
    for name, amount in (("rich", "900"), ("<b>poor</b>", "200")):
        found = moved(planner, folder, [[["budget", "amount"], amount]])
        content = {"path": "policy.yaml", "text": found["text"], "scores": "scores.parquet"}
        assert planner.send("/policy/scenario", {**content, "name": name}).status == 200
    page = planner.get(page_of("policy.yaml")).text
    assert "<th>rich</th><th>&lt;b&gt;poor&lt;/b&gt;</th>" in page
    planner.send("/policy/drop", {"path": "policy.yaml", "name": "rich"})
    assert "<th>rich</th>" not in planner.get(page_of("policy.yaml")).text
    assert (folder / "policy.yaml").read_text() == text


def test_a_plan_is_made_approved_exported_and_compared(planner: Caller, folder: Path) -> None:
    content = {"path": "policy.yaml", "scores": "scores.parquet"}
    assert planner.send("/policy/plan", content).status == 200
    assert planner.send("/policy/plan", content).status == 422  # it runs already
    task = planner.task_ended("policy.yaml")
    assert task["state"] == "done", task
    run = str(task["made"])
    assert planner.form("/run/approve", path=run, by=" ").status == 422
    planner.form("/run/approve", path=run, by="Bo", note="fine")
    assert planner.task_ended(run)["state"] == "done"
    page = planner.get(page_of(run, "run")).text
    assert "Bo approved it on 20" in page
    planner.form("/run/export", path=run, to="out/offers.parquet", accept="")
    task = planner.task_ended(run)
    assert task["state"] == "done", task
    assert pq.read_table(folder / "out" / "offers.parquet").num_rows > 0
    assert planner.form("/run/export", path=run, to="../offers.parquet").status == 409
    beside = planner.get(f"/compare?run=run&run={run}").text
    assert "400 users get the same in both" in beside
    assert planner.get("/compare?run=run").status == 422


def test_files_of_the_folder_are_named_from_it(planner: Caller, folder: Path) -> None:
    shutil.copytree(folder / "run", folder / "mine")
    planner.form("/run/export", path="mine", to="out/mine.csv")
    assert "out/mine.csv" in str(planner.task_ended("mine")["lines"])
    shutil.copytree(folder / "mine", folder / "broken")
    (folder / "broken" / "certificate.json").write_text("{", encoding="utf-8")
    planner.form("/run/approve", path="broken", by="Bo")
    assert "broken" in str(planner.task_ended("broken")["faults"])
    pages = [planner.get(page_of(name, kind)) for name in ("mine", "broken") for kind in (
        "run", "run/checks")]  # fmt: skip
    for answer in (*pages, planner.get("/"), planner.get("/tasks"), planner.get("/tasks/state")):
        assert str(folder.resolve()) not in answer.text
    assert Folder(folder).inside(f"{folder.resolve()}/exports/spring.csv") == "exports/spring.csv"
    elsewhere = f"/mnt{folder.resolve()}/exports"
    assert Folder(folder).inside(elsewhere) == elsewhere
    for name in ("mine", "broken"):
        shutil.rmtree(folder / name)


def test_who_answers_for_a_warning_goes_on(planner: Caller, folder: Path) -> None:
    solved(folder / "later", users=60, valid_from="2099-01-01 00:00")
    planner.form("/run/export", path="later/run", to="out/later.csv")
    task = planner.task_ended("later/run")
    assert task["state"] == "failed"
    assert task["answerable"] == ["not-yet-valid"]
    assert "--accept" not in json.dumps(task)  # a button says so here
    assert "I answer for not-yet-valid" in planner.get("/tasks").text
    assert task["answer_for"] == "I answer for not-yet-valid: go on"
    again = planner.send("/tasks/again", {"task": task["id"]})
    assert again.status == 200, again.text
    task = planner.task_ended("later/run")
    assert task["state"] == "done", task
    assert (folder / "out" / "later.csv").is_file()
    assert "I answer for not-yet-valid" not in planner.get("/tasks").text  # somebody has
    assert planner.send("/tasks/again", {"task": "none"}).status == 409
    shutil.rmtree(folder / "later")


def test_a_run_that_was_altered_does_not_verify_and_cannot_be_approved(
    planner: Caller, folder: Path
) -> None:
    shutil.copytree(folder / "run", folder / "altered")
    certificate = folder / "altered" / "certificate.json"
    certificate.write_text(certificate.read_text().replace('"value": ', '"value": 1'))
    assert "does not verify" in planner.get(page_of("altered", "run/checks")).text
    assert "Verified" in planner.get(page_of("run", "run/checks")).text
    planner.form("/run/approve", path="altered", by="Zed")
    assert planner.task_ended("altered")["state"] == "failed"
    assert "Zed" not in planner.get(page_of("altered", "run")).text
    (folder / "altered" / "manifest.json").write_text("{", encoding="utf-8")
    assert "cannot be read" in planner.get("/").text
    assert planner.get(page_of("altered", "run")).status == 404
    shutil.rmtree(folder / "altered")


def test_a_comparison_calls_offers_as_the_policy_does(planner: Caller, folder: Path) -> None:
    titles = {"en": "five off", "zh": "立减五元"}
    offers = [{"id": "a", "face_value": 10, "title": titles}, {"id": "b", "face_value": 20}]
    few, more = (
        solved(folder / name, users=2_000, budget={"amount": amount}, demands={"offers": offers})
        for name, amount in (("few", 1_000.0), ("more", 2_000.0))
    )
    names = [f"run={name.relative_to(folder)}" for name in (few, more)]
    page = planner.get(f"/compare?{'&'.join(names)}").text
    assert "nothing → five off" in page
    assert "Value: conversions" in page
    for name in ("few", "more"):
        shutil.rmtree(folder / name)


def test_a_search_finds_by_name_and_author(planner: Caller) -> None:
    assert ">spring</a>" in planner.get("/?q=ANN").text
    assert "Nothing has these words" in planner.get("/?q=nobody").text


def test_a_task_can_be_stopped_and_leaves_nothing(planner: Caller, folder: Path) -> None:
    shutil.copy(folder / "policy.yaml", folder / "stopped.yaml")
    planner.send("/policy/plan", {"path": "stopped.yaml", "scores": "scores.parquet"})
    (folder / "runs").mkdir(exist_ok=True)  # before the first plan there is none
    before = {path.name for path in (folder / "runs").iterdir()}
    task = planner.get("/tasks/state").json[0]
    planner.form("/tasks/stop", task=task["id"])
    assert planner.task_ended("stopped.yaml")["state"] == "stopped"
    time.sleep(0.5)
    assert {path.name for path in (folder / "runs").iterdir() if path.name[0] != "."} <= before
    (folder / "stopped.yaml").unlink()


def test_pages_speak_both_languages(planner: Caller) -> None:
    for page in ("/", page_of("policy.yaml"), page_of("run", "run"), "/tasks"):
        text = Caller(planner.url).get(page, **{"Accept-Language": "zh-CN"}).text
        assert 'lang="zh-CN"' in text
        assert "激励工作台" in text


def test_a_report_in_another_language_is_said_to_be_one(planner: Caller) -> None:
    reader = Caller(planner.url)
    assert (
        "报告在生成方案时绘制，为英文"
        in reader.get(page_of("run", "run"), **{"Accept-Language": "zh-CN"}).text
    )
    assert "It was drawn when" not in reader.get(page_of("run", "run")).text


def test_what_is_wrong_is_in_the_language_of_the_page(planner: Caller) -> None:
    zh, reader = {"Accept-Language": "zh-CN"}, Caller(planner.url)
    for address in (page_of("nothing", "run"), page_of("run", "campaign")):
        page = reader.get(address, **zh).text
        assert "there is no such" not in page
        assert "no such ledger" not in page
    answer = reader.get(page_of("nothing", "run"), Accept="application/json", **zh)
    (fault,) = answer.json["faults"]
    assert (fault["what"], fault["remedy"]) == ("没有这个方案", "请在文件夹的列表中查找")


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Give programs that are started here files of a size at most, as a full disk would."""
    most, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))


def test_a_plan_on_a_full_disk_ends_with_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    solved(tmp_path, users=400, budget={"amount": 600.0})
    with ExitStack() as stack:
        with files_of_at_most(8_192):
            cramped = stack.enter_context(studio(tmp_path))
        content = {"path": "policy.yaml", "scores": "scores.parquet"}
        assert cramped.send("/policy/plan", content).status == 200
        task = cramped.task_ended("policy.yaml")
        assert task["state"] == "failed"
        assert "the disk is full" in task["faults"][0]["text"]
        assert not (tmp_path / "runs").exists()
        text = (tmp_path / "policy.yaml").read_text(encoding="utf-8")
        long = {"path": "policy.yaml", "text": text + "# more\n" * 2_000, "digest": _digest(text)}
        refused = cramped.send("/policy/save", long)
        assert "the disk is full" in refused.text
        assert (tmp_path / "policy.yaml").read_text(encoding="utf-8") == text


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
