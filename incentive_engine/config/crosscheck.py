"""What the parts of a policy must be for each other: names that agree, percentages of something.

The checks read what was written, not the validated models, so that they report beside every
other problem of the file; what has the wrong type is left to the models.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from incentive_engine.config.document.places import Loc
from incentive_engine.config.document.problems import FieldProblem
from incentive_engine.domain import BUDGET, ISSUED, MONEY_MEASURES
from incentive_engine.errors import nearest
from incentive_engine.language import say


def policy_problems(written: object) -> list[FieldProblem]:
    """Return what does not fit together in a policy as it was written."""
    return [
        *_repeated(written, "offers", "id"),
        *_repeated(written, "limits", "name"),
        *_taken_names(written),
        *_unknown_offers(written),
        *_offers_named_twice(written),
        *_percentages(written),
    ]


def _get(item: object, key: str) -> object:
    return item.get(key) if isinstance(item, Mapping) else getattr(item, key, None)


def _items(written: object, section: str) -> list[object]:
    items = _get(written, section)
    return list(items) if isinstance(items, list | tuple) else []


def _repeated(written: object, section: str, key: str) -> Iterator[FieldProblem]:
    first: dict[str, Loc] = {}
    for index, item in enumerate(_items(written, section)):
        name, loc = _get(item, key), (section, index, key)
        if not isinstance(name, str):
            continue
        if name in first:
            what = say(
                "`{name}` is the {key} of two {section}", name=name, key=key, section=section
            )
            yield FieldProblem(loc, what, remedy="choose another", other=first[name])
        first.setdefault(name, loc)


def _taken_names(written: object) -> Iterator[FieldProblem]:
    """Yield limits whose name the budget has, or a part of another limit."""
    limits = _items(written, "limits")
    each = [n for x in limits if _get(x, "for_each") and isinstance(n := _get(x, "name"), str)]
    for index, limit in enumerate(limits):
        name, loc = _get(limit, "name"), ("limits", index, "name")
        if name == BUDGET:
            yield FieldProblem(
                loc, "`budget` is the name of the budget itself", remedy="choose another"
            )
        if not isinstance(name, str) or not name.endswith("]"):
            continue
        halved = name.removesuffix("[at_least]").removesuffix("[at_most]")
        if halved != name and any(_get(x, "name") == halved and _is_halved(x) for x in limits):
            what = say(
                "`{name}` is one of the bounds of the limit `{owner}`", name=name, owner=halved
            )
            yield FieldProblem(loc, what, remedy="choose another")
        if owner := next((e for e in each if name.startswith(f"{e}[")), None):
            what = say(
                "`{name}` may be the name of one value of the limit `{owner}`",
                name=name,
                owner=owner,
            )
            yield FieldProblem(loc, what, remedy="choose another")


def _is_halved(limit: object) -> bool:
    """Return whether a limit becomes two: a ratio, or a share of the plan, bounded both ways."""
    bounds = [_get(limit, key) for key in ("at_least", "at_most")]
    of_plan = (
        "of spent" in bound if isinstance(bound, str) else getattr(bound, "of_plan", False)
        for bound in bounds
    )
    return None not in bounds and (_get(limit, "ratio") is not None or any(of_plan))


def _unknown_offers(written: object) -> Iterator[FieldProblem]:
    ids = [_get(offer, "id") for offer in _items(written, "offers")]
    offers = [name for name in ids if isinstance(name, str)]
    # an offer whose id is broken is told of itself; all that name it would only repeat that
    if not offers or len(offers) < len(ids):
        return
    for section in ("eligibility", "limits"):
        for index, item in enumerate(_items(written, section)):
            for position, name in enumerate(_items(item, "offers")):
                if isinstance(name, str) and name not in offers:
                    loc = (section, index, "offers", position)
                    what = say("there is no offer `{name}`", name=name)
                    yield FieldProblem(loc, what, remedy=nearest(name, offers))


def _offers_named_twice(written: object) -> Iterator[FieldProblem]:
    for section in ("eligibility", "limits"):
        for index, item in enumerate(_items(written, section)):
            names = _items(item, "offers")
            for position, name in enumerate(names):
                if isinstance(name, str) and name in names[:position]:
                    loc = (section, index, "offers", position)
                    yield FieldProblem(
                        loc, say("`{name}` is named twice", name=name), remedy="name it once"
                    )


def _percentages(written: object) -> Iterator[FieldProblem]:
    for index, limit in enumerate(_items(written, "limits")):
        measure, ratio = _get(limit, "sum"), _get(limit, "ratio")
        is_sum = ratio is None and isinstance(measure, str)
        if (ratio is None and not is_sum) or (is_sum and measure in {*MONEY_MEASURES, ISSUED}):
            continue
        what = say("a ratio cannot be bounded by a percentage")
        if is_sum:
            what = say("a sum of {measure} cannot be bounded by a percentage", measure=measure)
        for key in ("at_most", "at_least"):
            bound = _get(limit, key)
            is_text = isinstance(bound, str) and "%" in bound
            if is_text or getattr(bound, "is_share", False):
                remedy = "% is of the budget for cost, spend and face, of the users for issued"
                yield FieldProblem(("limits", index, key), what, "a number", remedy)
