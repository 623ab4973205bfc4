"""The frame that every page shares: one template environment, one head, one style."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemBytecodeCache, PackageLoader, StrictUndefined
from jinja2.bccache import Bucket

from incentive_engine.data.step_cache import default_root
from incentive_engine.errors import DataError
from incentive_engine.language import Code, language


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
    t = language(lang)
    return (
        _environment()
        .get_template(template)
        .render(
            content,
            t=t,
            number=t.number,
            money=t.money,
            brief=t.brief,
            count=t.count,
            percent=t.percent,
        )
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("incentive_engine.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        bytecode_cache=_compiled(),
    )


class _Compiled(FileSystemBytecodeCache):
    """Templates as Python bytecode; where it cannot be kept, they are compiled each time."""

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a template's code, unless the disk is full or may not be written to."""
        with suppress(OSError):
            super().dump_bytecode(bucket)


def _compiled() -> _Compiled | None:
    """Return where compiled templates are kept: apart for each state of the options above."""
    options = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]
    try:
        directory = default_root() / "templates" / options
        directory.mkdir(parents=True, exist_ok=True)
    except (OSError, DataError):
        return None
    return _Compiled(str(directory))
