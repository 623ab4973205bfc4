"""The frame that every page shares: one template environment, one head, one style."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from incentive_engine.language import Code, Language, language


def render_page(template: str, *, lang: Code = "en", **content: object) -> str:
    """Return a page as HTML that refers to no file, script or font from elsewhere.

    Parameters
    ----------
    template
        A file of ``templates/`` that extends ``frame.html.j2``.
    lang
        The language of `t`, which looks words up, and of how numbers read.
    content
        What it shows; `t`, `number`, `money`, `brief`, `count` and `percent` are always there.
    """
    page = templates_of("incentive_engine.report").get_template(template)
    return page.render(content, **spoken_by(language(lang)))


def spoken_by(t: Language) -> dict[str, object]:
    """Return what every template says words and figures with, in a language."""
    return {
        "t": t,
        "number": t.number,
        "money": t.money,
        "brief": t.brief,
        "count": t.count,
        "percent": t.percent,
    }


@cache
def templates_of(package: str) -> Environment:
    """Return a package's templates, compiled in each process: kept code would run as who plans."""
    return Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
