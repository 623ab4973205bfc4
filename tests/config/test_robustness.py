"""Whatever stands in a file, the answer is a policy or faults that a planner understands."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from incentive_engine.config.document.loading import load_policy, policy_from_mapping
from incentive_engine.config.document.tree import parse_tree
from incentive_engine.config.policy import Policy
from incentive_engine.errors import ConfigError

from .policies import CORRECT
from .test_faults import JARGON

ODD = st.recursive(
    st.sampled_from(
        [None, True, 0, -1, 1.5, float("inf"), float("nan"), 10**400, "", " ", "x", "%", "5%",
         "101%", "200k", "off10", "cost", "control", "budget", "{}", "\x00", "\U0001f600"]
    ),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["id", "name", "at_least", "below", "values", 5, 1.5, True, "", "x.y"]),
        inner,
        max_size=3,
    ),
    max_leaves=6,
)  # fmt: skip


def ways(content: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = (
        content.items()
        if isinstance(content, dict)
        else enumerate(content if isinstance(content, list) else [])
    )
    found = [before] if before else []
    for key, inner in items:
        found += ways(inner, (*before, key))
    return found


def correct() -> Any:
    root = parse_tree(CORRECT, origin="a.yaml").root
    assert root is not None
    return root.plain()


def outcome(content: Any) -> Policy | list[str]:
    try:
        return policy_from_mapping(content)
    except ConfigError as error:
        return [str(fault) for fault in error.faults]


WAYS = ways(correct())


@given(st.lists(st.tuples(st.sampled_from(WAYS), ODD), min_size=1, max_size=4))
def test_odd_content_gives_a_policy_or_faults_without_jargon(
    changes: list[tuple[tuple[Any, ...], Any]],
) -> None:
    content = correct()
    for way, value in changes:
        with contextlib.suppress(KeyError, IndexError, TypeError):
            inner = content
            for part in way[:-1]:
                inner = inner[part]
            inner[way[-1]] = value
    found = outcome(content)
    if isinstance(found, Policy):
        assert policy_from_mapping(found.model_dump(mode="json")) == found
    else:
        assert not JARGON.search("\n".join(found))
        assert len(set(found)) == len(found)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_give_faults_and_no_crash(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.yaml"
        for data in (content, CORRECT.encode() + content):
            path.write_bytes(data)
            with contextlib.suppress(ConfigError):
                load_policy(path)
