from __future__ import annotations

from pathlib import Path

from incentive_engine.config.document.reference import (
    documented_models,
    field_texts,
    policy_reference,
)
from incentive_engine.config.policy import Policy

PAGE = Path(__file__).parents[2] / "docs" / "policy.md"


def test_the_reference_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == policy_reference(), (
        "run: python -m incentive_engine.config.document.reference > docs/policy.md"
    )


def test_every_field_of_every_model_is_documented() -> None:
    models = documented_models(Policy)
    assert {model.__name__ for model in models} >= {"Policy", "Limit", "Range", "Sample"}
    for model in models:
        texts = field_texts(model)
        assert model.__doc__
        for name in model.model_fields:
            assert texts[name], f"{model.__name__}.{name}"
            assert f"| `{name}` |" in policy_reference()
