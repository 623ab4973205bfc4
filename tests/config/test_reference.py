from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import BaseModel

from incentive_engine.config.document.reference import (
    documented_models,
    field_texts,
    policy_reference,
    scenario_reference,
)
from incentive_engine.config.policy import Policy
from incentive_engine.config.scenario import Scenario

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [(Policy, policy_reference, "policy"), (Scenario, scenario_reference, "scenario")]


@pytest.mark.parametrize(("model", "page", "name"), PAGES)
def test_a_reference_page_is_up_to_date(
    model: type[BaseModel], page: Callable[[], str], name: str
) -> None:
    assert f"## {model.__name__}" in page()
    assert (DOCS / f"{name}.md").read_text(encoding="utf-8") == page(), (
        f"run: python -m incentive_engine.config.document.reference {name} > docs/{name}.md"
    )


@pytest.mark.parametrize(("model", "page", "name"), PAGES)
def test_every_field_of_every_model_is_documented(
    model: type[BaseModel], page: Callable[[], str], name: str
) -> None:
    models = documented_models(model)
    wanted = {
        "policy": {"Policy", "Limit", "Range", "Sample"},
        "scenario": {"World", "CampaignSeries"},
    }
    assert {found.__name__ for found in models} >= wanted[name]
    for found in models:
        texts = field_texts(found)
        assert found.__doc__
        for field in found.model_fields:
            assert texts[field], f"{found.__name__}.{field}"
            assert f"| `{field}` |" in page()
