"""Answers to findings: accepted or declined, by whom, in the ledger."""

from __future__ import annotations

from collections.abc import Sequence

from incentive_engine.errors import ConfigError, DataError, Fault, near_name
from incentive_engine.language import Text, say
from incentive_engine.live.actions import Change
from incentive_engine.live.ledger.clock import moment_text
from incentive_engine.live.ledger.commands import Act, Actions, Refused
from incentive_engine.live.ledger.ledger import shown_place
from incentive_engine.live.ledger.records import Action, Verb
from incentive_engine.live.ledger.stores.store import Terms
from incentive_engine.live.watch.finding import Finding
from incentive_engine.live.writing.asking import asking
from incentive_engine.pipeline.steps import Progress, quiet


def answer(
    terms: Terms,
    ledger: str,
    *,
    finding: Finding,
    verb: Verb,
    by: str,
    known: Sequence[Action],
    progress: Progress = quiet,
) -> Action:
    """Write into a ledger how somebody answers a finding, and return what was written.

    Parameters
    ----------
    known
        The actions that the finding was made with.
    progress
        As `open_store` has it.

    Raises
    ------
    ConfigError
        When nobody is named.
    DataError
        When the ledger cannot be written, or somebody else has answered since.
    """
    name = by.strip()
    # characters of a name
    longest = 200
    if not name or len(name) > longest or not name.isprintable():
        raise ConfigError(Fault("--by", "names nobody", "who answers, as others know them"))
    change = Change()
    if verb == Verb.ACCEPTED and finding.proposal is not None:
        change = finding.proposal.change
    act = Act(key=finding.key, verb=verb, name=name, change=change.to_json(), known=len(known))
    with asking(terms, ledger, progress) as ask:
        written = ask([act])[0]
    if isinstance(written, Actions):
        return written.actions[0]
    assert isinstance(written, Refused)
    if written.why == "outdated":
        what, remedy = "somebody has answered a finding since", "look again"
        raise DataError(Fault(shown_place(ledger), what, remedy=remedy))
    refused = say("did not write it: {why}", why=written.detail or written.why)
    raise DataError(Fault(shown_place(ledger), refused))


def named(findings: Sequence[Finding], key: str, actions: Sequence[Action]) -> Finding:
    """Return the finding of a key.

    Raises
    ------
    DataError
        When it was answered already, or there is none such.
    """
    answered = next((action for action in reversed(actions) if action.key == key), None)
    if answered is not None:
        at = moment_text(answered.at)
        was = say(f"watch.was_{answered.verb}")
        what = say("watch.answered", key_of=key, was=was, name=answered.name, at=at)
        raise DataError(Fault("--accept, --decline", what, "a finding of now", "look again"))
    keys = [finding.key for finding in findings]
    if key in keys:
        return findings[keys.index(key)]
    expected: Text = ", ".join(keys[:5]) or "nothing is found"
    if near := near_name(key, keys):
        expected = say("did you mean `{name}`?", name=near)
    what = say("`{name}` is no finding of now", name=key)
    raise DataError(Fault("--accept, --decline", what, expected, "look again"))
