"""The frame that every page shares: one template environment, one head, one style."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from . import formats


def render_page(template: str, **content: object) -> str:
    """Return a page as HTML that refers to no file, script or font from elsewhere.

    Parameters
    ----------
    template
        A file of ``templates/`` that extends ``frame.html.j2``.
    content
        What it shows; `number`, `money`, `count` and `percent` are always there to format with.
    """
    return _environment().get_template(template).render(content)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("incentive_engine.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(
        number=formats.number,
        money=formats.money,
        count=formats.count,
        percent=formats.percent,
    )
    return environment
