"""Nobody else's page can make the studio do anything, and no name leads out of its folder."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest

from .harness import PROGRAM, Caller, page_of, studio

CHANGES = [
    "/samples", "/run/approve", "/run/export", "/policy/edit", "/policy/save", "/policy/save-as",
    "/policy/merge", "/policy/plan", "/policy/prepare", "/policy/move", "/policy/deeper",
    "/policy/scenario", "/policy/drop", "/tasks/stop", "/tasks/again", "/language", "/logout",
]  # fmt: skip


def test_another_host_name_is_refused(planner: Caller) -> None:
    for host in ("evil.example", "evil.example:80", "[", "127.0.0.1.evil.example"):
        assert planner.call("GET", "/", None, {"Host": host}).status == 403
    assert planner.call("GET", "/", None, {"Host": "localhost:8090"}).status == 200


@pytest.mark.parametrize("path", CHANGES)
def test_nothing_changes_by_get_nor_without_the_token(planner: Caller, path: str) -> None:
    assert planner.get(path).status == 405
    for headers in ({}, {"X-Token": "wrong"}, {"X-Token": "ü"}):
        assert planner.call("POST", path, "{}", headers).status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_page_of_another_site_changes_nothing_even_with_the_token(
    planner: Caller, headers: dict[str, str]
) -> None:
    own = {"X-Token": planner.token, "Content-Type": "application/json"}
    assert planner.call("POST", "/policy/edit", "{}", {**own, **headers}).status == 403


def test_a_page_of_another_site_loads_no_part_but_may_link(planner: Caller) -> None:
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert planner.get("/run/checks?path=run", **foreign).status == 403
    assert planner.get("/", **foreign, **{"Sec-Fetch-Mode": "navigate"}).status == 200


def test_every_page_says_what_it_may_load(planner: Caller) -> None:
    headers = planner.get("/").headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    report = planner.get("/run/report?path=run").headers["content-security-policy"]
    assert "sandbox allow-scripts" in report
    assert "allow-same-origin" not in report


@pytest.mark.parametrize(
    "name",
    ["../secret.yaml", "/etc/passwd", "away/secret.yaml", "secret.yaml", ".", "a\0b", "%2e%2e"],
)
def test_no_name_leads_out_of_the_folder(planner: Caller, folder: Path, name: str) -> None:
    outside = folder.parent / "secret"
    outside.mkdir(exist_ok=True)
    (outside / "secret.yaml").write_text("offers: [{id: secret}]\n", encoding="utf-8")
    for link, target in (("away", outside), ("secret.yaml", outside / "secret.yaml")):
        if not (folder / link).is_symlink():
            (folder / link).symlink_to(target)
    for kind in ("policy", "run", "run/report", "run/checks"):
        answer = planner.get(page_of(name, kind))
        assert answer.status == 404, kind
        assert "{id: secret}" not in answer.text
    assert "secret" not in planner.get("/").text
    taken = planner.send("/policy/save-as", {"path": "policy.yaml", "text": "a: 1", "name": name})
    assert taken.status in {409, 422}
    (folder / "away").unlink()
    (folder / "secret.yaml").unlink()


def test_what_can_be_no_name_is_refused(planner: Caller, folder: Path) -> None:
    for link in ("round.yaml", "round"):
        (folder / link).symlink_to(link)
    for name in ("x" * 300, "x/" * 3_000, "\ud800".encode("utf-8", "surrogatepass"), "round"):
        for kind in ("policy", "run", "run/report", "run/checks", "campaign"):
            answer = planner.get(f"/{kind}?path={quote(name)}")
            assert answer.status == 404, (name, kind)
    for link in ("round.yaml", "round"):
        (folder / link).unlink()


def test_a_list_shows_what_it_can(planner: Caller, folder: Path) -> None:
    odd = [folder / "lost.yaml", folder / "round", folder / "\udcff.yaml", folder / "pipe.yaml"]
    odd[0].symlink_to("nowhere.yaml")
    odd[1].symlink_to("round")
    odd[2].write_text("offers:\n- {id: a, face_value: 1}\n", encoding="utf-8")
    os.mkfifo(odd[3])
    (folder / "\udcfe").mkdir()
    (folder / "\udcfe" / "manifest.json").write_text("{}", encoding="utf-8")
    page = planner.get("/")
    assert page.status == 200
    assert page.text.count("its name is not UTF-8") == 2
    for path in odd:
        path.unlink()
    shutil.rmtree(folder / "\udcfe")


@pytest.mark.parametrize(
    "body", ['{"path": "\\ud800"}', "[" * 100_000, '{"a": ' * 50_000, "9" * 5_000, "{", "nope"]
)
def test_a_body_that_nobody_can_read_is_refused(planner: Caller, body: str) -> None:
    headers = {"X-Token": planner.token, "Content-Type": "application/json"}
    for path in CHANGES:
        assert planner.call("POST", path, body, headers).status == 400, path


def test_hostile_names_are_text(planner: Caller, folder: Path) -> None:
    bad = "<script>alert(1)</script>"
    name = "x'\"><img src=x onerror=alert(1)>.yaml"
    (folder / name).write_text(
        f'version: 1\nname: "{bad}"\noffers: [{{id: a, face_value: 1}}]\n'
        f'limits: [{{name: "{bad}", sum: cost, at_most: 5}}]\nbudget: {{amount: 1}}\n',
        encoding="utf-8",
    )
    for page in ("/", page_of(name), f"/?q={quote(bad)}", f"/nowhere/{quote(bad)}"):
        text = planner.get(page).text
        assert bad not in text
        assert "<img" not in text
    moved = planner.send(
        "/policy/edit", {"path": name, "text": (folder / name).read_text(), "changes": []}
    )
    assert bad not in moved.json["form"] + moved.json["sliders"]
    (folder / name).unlink()


def test_a_return_address_stays_here(planner: Caller) -> None:
    for to in ("https://evil.example/", "//evil.example", "/\\evil.example"):
        assert planner.form("/language", lang="en", back=to).headers["location"] == "/"


def test_keys_let_in_and_roles_say_what_for(folder: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys.yaml"
    keys.write_text(
        "keys:\n- {name: Ann, key: ann-ann-ann-ann-ann, roles: [read, plan]}\n"
        "- {name: Bo, key: bo-bo-bo-bo-bo-bo, roles: [read, approve]}\n",
        encoding="utf-8",
    )
    with studio(folder, "--keys", str(keys)) as somebody:
        assert somebody.get("/").headers["location"].startswith("/login")
        answer = somebody.get("/tasks/state", Accept="application/json")
        assert answer.status == 401
        assert "logged in" in answer.json["faults"][0]["text"]
        assert somebody.get("/tasks/events").status == 401
        login = somebody.get("/login?to=//evil.example").text
        token = login.split('name="token" value="')[1].split('"')[0]
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        json = {"Content-Type": "application/json"}
        assert somebody.call("POST", "/login", "[" * 100_000, json).status == 400
        for body in ("key=ann-ann-ann-ann-ann", f"token={token}&key=wrong"):
            assert somebody.call("POST", "/login", body, form).status == 403
        ann, bo = Caller(somebody.url), Caller(somebody.url)
        for person, key in ((ann, "ann-ann-ann-ann-ann"), (bo, "bo-bo-bo-bo-bo-bo")):
            answer = person.call("POST", "/login", f"token={token}&key={key}&to=//evil", form)
            assert answer.headers["location"] == "/"
            assert "HttpOnly" in answer.headers["set-cookie"]
        assert ann.form("/run/approve", path="run", by="Zed").status == 403
        assert bo.send("/policy/plan", {"path": "policy.yaml"}).status == 403
        assert bo.call("POST", "/run/approve", "{}", {"X-Token": ann.token}).status == 403
        bo.form("/run/approve", path="run", by="Zed")
        bo.task_ended("run")
        assert "Bo approved it" in bo.get(page_of("run", "run")).text
        assert "Zed" not in bo.get(page_of("run", "run")).text
        bo.form("/logout")
        assert bo.get("/").status == 303


def test_without_keys_it_listens_on_this_machine_only(tmp_path: Path) -> None:
    words = [*PROGRAM, "studio", str(tmp_path), "--port", "0", "--host", "0.0.0.0"]  # noqa: S104 - what is refused
    done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - our own program
    assert done.returncode == 2
    assert "--keys" in done.stderr
