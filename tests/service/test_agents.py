"""The tools of service agents, called as an agent's program calls them."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from incentive_engine.errors import ConfigError
from incentive_engine.service.agents import AgentOptions, serve_agents

from .runs import plan, solved

READ, RESERVE = {"offers_for_user"}, {"offers_for_user", "reserve_offer", "cancel_offer"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return solved(tmp_path_factory.mktemp("agents"))


def ask(
    run: Path, ledger: Path, *calls: tuple[str, dict[str, Any]], options: tuple[str, ...] = ()
) -> tuple[set[str], list[Any]]:
    """Return the names of the tools, and what each call answered: a dictionary, or an error."""
    words = ["-c", "from incentive_engine.cli import run; run()", "mcp", str(run)]
    program = StdioServerParameters(
        command=sys.executable, args=[*words, "--ledger", str(ledger), *options]
    )

    async def talk() -> tuple[set[str], list[Any]]:
        async with (
            stdio_client(program) as (reader, writer),
            ClientSession(reader, writer) as session,
        ):
            await session.initialize()
            names = {tool.name for tool in (await session.list_tools()).tools}
            answers = []
            for name, arguments in calls:
                found = await session.call_tool(name, arguments)
                said = "".join(getattr(part, "text", "") for part in found.content)
                answers.append(said if found.is_error else found.structured_content)
            return names, answers

    return asyncio.run(asyncio.wait_for(talk(), 120))


def test_an_agent_looks_up_reserves_and_takes_back(run: Path, tmp_path: Path) -> None:
    row = next(row for row in plan(run) if row["offer_id"])
    user = {"user_id": row["user_id"]}
    once = {**user, "request_id": "call 1"}
    names, answers = ask(
        run,
        tmp_path / "l",
        ("offers_for_user", user),
        ("reserve_offer", once),
        ("reserve_offer", once),
        ("offers_for_user", user),
    )
    assert names == RESERVE
    before, first, again, after = answers
    assert before["offer_id"] == first["offer_id"] == row["offer_id"]
    assert first == again
    assert f"{row['offer_id']} is reserved" in first["words"]
    assert after["state"] == "reserved"
    assert all("cost" not in name for answer in answers for name in answer)
    _, (taken_back, open_again) = ask(
        run,
        tmp_path / "l",
        ("cancel_offer", {"decision_id": first["decision_id"]}),
        ("offers_for_user", user),
    )
    assert taken_back["state"] == "cancelled"
    assert "state" not in open_again


def test_users_without_an_offer_are_told_why_in_both_languages(run: Path, tmp_path: Path) -> None:
    held = next(row["user_id"] for row in plan(run) if row["reason"] == "holdout")
    call = ("offers_for_user", {"user_id": held})
    _, (english,) = ask(run, tmp_path / "l", call)
    assert english["offer_id"] is None
    assert "group that gets no offers" in english["words"]
    _, (chinese,) = ask(run, tmp_path / "l", call, options=("--lang", "zh"))
    assert "对照组" in chinese["words"]


def test_a_reader_reserves_nothing(run: Path, tmp_path: Path) -> None:
    user = plan(run)[0]["user_id"]
    names, (refused,) = ask(
        run,
        tmp_path / "l",
        ("reserve_offer", {"user_id": user}),
        options=("--role", "read"),
    )
    assert names == READ
    assert "reserve_offer" in refused


def test_an_unknown_customer_and_decision_are_errors_with_a_remedy(
    run: Path, tmp_path: Path
) -> None:
    _, (unknown, no_decision) = ask(
        run,
        tmp_path / "l",
        ("offers_for_user", {"user_id": "nobody"}),
        ("cancel_offer", {"decision_id": "none"}),
    )
    assert "no such user" in unknown
    assert "no such decision" in no_decision


@pytest.mark.parametrize("url", ["http://[::1", "ftp://host", "host:8080", "http://a..b"])
def test_a_service_that_has_no_url_is_refused_at_once(run: Path, url: str) -> None:
    options = AgentOptions(run_dir=run, server=url)
    with pytest.raises(ConfigError, match=r"--server: is no URL of HTTP"):
        serve_agents(options)
