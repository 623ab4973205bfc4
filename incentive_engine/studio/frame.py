"""The frame of every page: the report's style and charts, the studio's own templates."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from importlib.resources import files

from markupsafe import Markup, escape

from incentive_engine.language import Language
from incentive_engine.report.frame import spoken_by, templates_of
from incentive_engine.run.statements import StatedEstimate
from incentive_engine.stats.estimate import Estimate


def render(template: str, t: Language, **content: object) -> str:
    """Return a page as HTML.

    Parameters
    ----------
    template
        A file of ``templates/``.
    t
        The language of the page.
    content
        What it shows.
    """
    return (
        templates_of("incentive_engine.studio")
        .get_template(template)
        .render(
            content,
            **spoken_by(t),
            interval=lambda stated: interval(t, stated),
            moment=lambda at: moment(t, at),
            prose=prose,
            release=version("incentive-engine"),
        )
    )


def prose(text: str) -> Markup:
    """Return a sentence as HTML, with what stands between backticks as code.

    >>> prose("`<a>` is & stays")
    Markup('<code>&lt;a&gt;</code> is &amp; stays')
    """
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before


def interval(t: Language, estimate: StatedEstimate | Estimate | None) -> str:
    """Return the ends of an interval, empty where there is none."""
    if estimate is None or (isinstance(estimate, Estimate) and not estimate.has_interval):
        return ""
    low, high = (spoken_figure(t, end) for end in (estimate.low, estimate.high))
    return t("studio.interval", low=low, high=high)


def spoken_figure(t: Language, value: float) -> str:
    """Return a figure as it is spoken, without decimals that say nothing."""
    return t.brief(value) if abs(value) >= 10_000 else t.number(value)


def moment(t: Language, at: datetime | str | None) -> str:
    """Return a time in the zone of the machine that the studio runs on."""
    if not at:
        return "–"
    stated = datetime.fromisoformat(at) if isinstance(at, str) else at
    aware = stated if stated.tzinfo else stated.replace(tzinfo=UTC)
    return t.moment(aware.astimezone())


@cache
def asset(name: str) -> bytes:
    """Return a file that pages load; the studio's style stands behind the report's."""
    own = files("incentive_engine.studio").joinpath("assets", name).read_bytes()
    if name != "studio.css":
        return own
    shared = files("incentive_engine.report").joinpath("templates", "style.css").read_bytes()
    return shared + b"\n" + own
