"""What is wrong with a command line, in the program's own words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from incentive_engine.errors import Fault
from incentive_engine.language import Text, any_of, say

Said = Mapping[str, str]


def wrong_usage(command: str, message: str) -> Fault:
    """Return what the parser of command lines complains of as a fault.

    Parameters
    ----------
    command
        The command that was called, with its group.
    message
        What the parser says, in English.

    >>> str(wrong_usage("incentive serve", "No such option: --prot"))
    'incentive serve: no such option `--prot`; see `incentive serve --help`'
    """
    for pattern, what, expected in _complaints():
        if match := pattern.search(message):
            named = {name: value or "" for name, value in match.groupdict().items()}
            where = ": ".join(filter(None, (command, named.get("option"))))
            near = _names(named.get("near", ""))
            wanted = expected(named) if callable(expected) else expected
            remedy = say("see `{command} --help`", command=command)
            if near:
                remedy = say("did you mean {near}?", near=any_of(near))
            return Fault(where, what(named), wanted, remedy)
    return Fault(
        command, message.rstrip("."), remedy=say("see `{command} --help`", command=command)
    )


def _names(text: str) -> list[str]:
    return re.findall(r"[\w-]+", text)


def _one_of(said: Said) -> Text:
    return any_of(_names(said["known"]))


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.DOTALL)


Row = tuple[re.Pattern[str], Callable[[Said], Text], Text | Callable[[Said], Text]]


def _complaints() -> tuple[Row, ...]:
    """Return the parser's messages, each with what is wrong and what was expected.

    The first that matches counts: the pattern of any other value stands last.
    """
    return (*_of_names(), *_of_values())


def _of_names() -> tuple[Row, ...]:
    """Return what the parser says of commands, options and arguments."""
    return (
        (
            _pattern(r"No such command '(?P<name>.*?)'\.(?: Did you mean (?P<near>.*)\?)?"),
            lambda said: say("no such command `{name}`", name=said["name"]),
            "",
        ),
        (
            _pattern(r"No such option: (?P<name>\S+)(?: \(Possible options: (?P<near>.*)\))?"),
            lambda said: say("no such option `{name}`", name=said["name"]),
            "",
        ),
        (_pattern(r"Missing command"), lambda _: say("a command is missing"), ""),
        (
            _pattern(r"Missing (?:argument|option|parameter)[: ]*'?(?P<name>[\w-]+)"),
            lambda said: say("`{name}` is missing", name=said["name"]),
            "",
        ),
        (
            _pattern(r"Option '(?P<option>[^']*)' requires"),
            lambda _: say("a value is missing behind it"),
            "",
        ),
        (
            _pattern(r"Option '(?P<option>[^']*)' does not take"),
            lambda _: say("takes no value"),
            "",
        ),
        (
            # the first form is that of commands, the second that of groups
            _pattern(
                r"unexpected extra arguments? \((?P<name>.*)\)|argument\(s\) \((?P<more>.*)\)"
            ),
            lambda said: say("`{names}` is too much", names=said["name"] or said["more"]),
            "",
        ),
    )


def _of_values() -> tuple[Row, ...]:
    """Return what the parser says of an option's value."""
    invalid = r"Invalid value for '(?P<option>[^']*)': "
    return (
        (
            _pattern(invalid + r"Value error, '(?P<value>.*)' is not one of (?P<known>.*)\."),
            lambda said: say("`{name}` is not known", name=said["value"]),
            _one_of,
        ),
        (
            _pattern(invalid + r"Input should be greater than or equal to (?P<bound>\S+)"),
            lambda _: say("is too small"),
            lambda said: say("at least {bound}", bound=said["bound"]),
        ),
        (
            _pattern(invalid + r"Input should be less than or equal to (?P<bound>\S+)"),
            lambda _: say("is too large"),
            lambda said: say("at most {bound}", bound=said["bound"]),
        ),
        (
            _pattern(invalid + r"Input should be (?:a valid integer|an integer)"),
            lambda _: say("is no whole number"),
            "a whole number",
        ),
        (
            _pattern(invalid + r"Input should be (?:a valid|a finite) number"),
            lambda _: say("is no number"),
            "a number",
        ),
        (
            _pattern(invalid + r"(?:Value error, )?(?P<value>.*)"),
            lambda said: say("is not valid: {reason}", reason=said["value"].rstrip(".")),
            "",
        ),
    )
