"""The reference of every key of a document, written from the models themselves.

``python -m incentive_engine.config.document.reference > docs/policy.md`` renews the page of
policies, and the same with ``scenario > docs/scenario.md`` the one of scenarios.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from itertools import pairwise

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from incentive_engine.config.amounts import UNITS
from incentive_engine.config.document.words import describe, models_in
from incentive_engine.config.policy import Policy
from incentive_engine.config.scenario import Scenario


def scenario_reference() -> str:
    """Return the reference page of scenario files, in Markdown."""
    of_scenarios = """# Scenario files

Every key of a scenario, which `incentive simulate` replays ([what it is for](simulation.md)). This
page is written from the program's own models by `python -m
incentive_engine.config.document.reference scenario > docs/scenario.md`; a test fails while it is
old. `incentive check FILE` reports every problem of a file at once. Values are read as in [policy
files](policy.md).
"""
    return "\n".join([of_scenarios, *map(_section, documented_models(Scenario))])


def policy_reference() -> str:
    """Return the reference page of policy files, in Markdown."""
    units = ", ".join(f"`{unit}` {factor:,}" for unit, factor in UNITS.items() if unit)
    pages = [_section(model) for model in documented_models(Policy)]
    introduction = """# Policy files

Every key of a policy. This page is written from the program's own models by `python -m
incentive_engine.config.document.reference > docs/policy.md`; a test fails while it is old.

`incentive check FILE` reports every problem of a file at once, with file, line and key. Keys that
are not on this page are errors, as are keys that stand twice.

How values are read:

* Amounts: `200000`, `200_000`, `200k`, `5m`, `50万`, `1.2亿`; units: {units}.
* Percentages: `25%`. For `cost`, `spend` and `face` they are of the budget, for `issued` of all
  users; other sums, and ratios, cannot be bounded by a percentage.
* A percentage of money is of the *budget*, whatever is spent: a floor of 25% that a budget of 500k
  can meet may be out of reach with 5m, because not so many users match. Then write an amount, or
  `25% of spent`: a share of what the whole plan adds up to in the limit's measure, over all users
  and offers (money spent, face values handed out, offers issued).
* Measures are numbers per user and offer: `conversion` (purchases that the offer adds), `spend`
  (money that the user spends more), `cost` (subsidy that is paid), `face` (the face value, at
  worst), `issued` (1 for each offer given), and any `x` for which scores of your own have columns
  `x__OFFER`. Examples: `maximise: {{conversion: 1, spend: 0.02}}`, `maximise: profit` with columns
  `profit__off10`, `sum: issued` with `at_most: 5000`, `ratio: [spend, cost]` with `at_least: 1.5`.
* Only `true` and `false` are truth values: `no`, `yes`, `on` and `off` are text. `1e6` is a
  number; `12:30`, dates and codes with leading zeros such as `007` are text.
* Aliases and merge keys of YAML are not supported: what a file says stands where it counts.
"""
    return "\n".join([introduction.format(units=units), *pages])


def documented_models(top: type[BaseModel]) -> list[type[BaseModel]]:
    """Return a model and all models inside it, each once, in the order of the fields."""
    models = [top]
    for model in models:
        for field in model.model_fields.values():
            inside = models_in(field.rebuild_annotation())
            models.extend(new for new in dict.fromkeys(inside) if new not in models)
    return models


def _section(model: type[BaseModel]) -> str:
    texts = field_texts(model)
    rows = [_row(name, field, texts.get(name, "")) for name, field in model.model_fields.items()]
    head = ["| key | takes | left out | meaning |", "|---|---|---|---|"]
    about = " ".join((model.__doc__ or "").split())
    return "\n".join([f"## {model.__name__}", "", about, "", *head, *rows, ""])


def field_texts(model: type[BaseModel]) -> dict[str, str]:
    """Return the text under each field of a model, inherited ones included.

    Pydantic can collect them when a class is made, but then every start pays for it.
    """
    texts: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if not issubclass(owner, BaseModel) or owner is BaseModel:
            continue
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
        assert isinstance(tree, ast.ClassDef)
        for field, text in pairwise(tree.body):
            match field, text:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(
                    value=ast.Constant(value=str(meaning))
                ):
                    texts[name] = " ".join(meaning.split())
    return texts


def _row(name: str, field: FieldInfo, text: str) -> str:
    takes = str(describe(field.rebuild_annotation(), model=_link))
    cells = (f"`{name}`", takes, _default(field), text)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _link(model: type[BaseModel]) -> str:
    name = model.__name__
    article = "an" if name[0] in "AEIO" else "a"
    return f"{article} [{name}](#{name.lower()})"


def _default(field: FieldInfo) -> str:
    value = field.default
    if field.is_required():
        return "required"
    if value is None or value is PydanticUndefined or value in ((), {}):
        return "none"
    if isinstance(value, BaseModel):
        return "as below"
    if isinstance(value, dict):
        return ", ".join(f"`{key}: {item:g}`" for key, item in value.items())
    return f"`{list(value) if isinstance(value, tuple) else str(value)}`".replace("False", "false")


if __name__ == "__main__":
    sys.stdout.write(scenario_reference() if "scenario" in sys.argv else policy_reference())
