"""What the watch has found, as lines or JSON, once or again and again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

from incentive_engine.errors import DataError
from incentive_engine.language import Message, Text, Value, say
from incentive_engine.live.ledger.clock import moment_text
from incentive_engine.live.ledger.ledger import shown_place
from incentive_engine.live.ledger.records import Action, Verb
from incentive_engine.live.watch.finding import Finding
from incentive_engine.live.watch.look import clock
from incentive_engine.live.watch.webhook import Webhook
from incentive_engine.workflow.results.watch_campaign import RunningCampaign, Seen


def shown_once(
    running: RunningCampaign, *, webhook: str | None = None, as_json: bool = False
) -> list[Text]:
    """Return what one look finds; with a webhook, it is posted as well.

    Raises
    ------
    IncentiveError
        When the ledger cannot be read, or the webhook does not take it.
    """
    hook = None if webhook is None else Webhook(webhook)
    seen = running.look()
    if hook is not None and (open_ones := _open(seen)):
        hook.post(running.campaign.run.name, open_ones)
    return [_json(running, seen)] if as_json else list(_lines(running, seen))


def follow_campaign(
    running: RunningCampaign,
    *,
    say: Callable[..., None],
    seconds: float,
    webhook: str | None = None,
    as_json: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Look again and again, and say what is new; ends with the campaign, or by Ctrl-C.

    A webhook that takes nothing for a while is tried again at the next look: a finding counts as
    posted once it was taken.
    """
    hook = None if webhook is None else Webhook(webhook)
    shown_before: set[str] = set()
    posted: set[str] = set()
    while True:
        seen = running.look()
        fresh = [finding for finding in seen.findings if finding.key not in shown_before]
        if fresh or not shown_before:
            shown = Seen(findings=tuple(fresh), observed=seen.observed, now=seen.now)
            say(*([_json(running, shown)] if as_json else _lines(running, shown)))
        shown_before |= {finding.key for finding in fresh}
        to_post = [finding for finding in _open(seen) if finding.key not in posted]
        if hook is not None and to_post:
            try:
                hook.post(running.campaign.run.name, to_post, sleep=sleep)
                posted |= {finding.key for finding in to_post}
            except DataError as error:
                say(str(error))
        hours = running.campaign.hours
        if hours is not None and hours.end is not None and seen.now >= hours.end:
            return
        sleep(seconds)


def answered(action: Action) -> Message:
    """Return what was written down about an answer."""
    key = "watch.accepted" if action.verb == Verb.ACCEPTED else "watch.said_no"
    return say(key, finding=action.key, name=action.name)


def _open(seen: Seen) -> list[Finding]:
    """Return the findings that nobody has declined."""
    return [finding for finding in seen.findings if finding.answered is None]


def _json(running: RunningCampaign, seen: Seen) -> str:
    params = running.watch.params
    content = {
        "run": running.campaign.run.name,
        "at": moment_text(seen.now),
        "came": int(seen.observed.is_first.sum()),
        "error": {"per_week": params.error, "campaigns": params.campaigns},
        "gain": _gain(seen),
        "findings": [finding.to_dict() for finding in seen.findings],
    }
    return json.dumps(content, indent=2, ensure_ascii=False)


def _lines(running: RunningCampaign, seen: Seen) -> Iterator[Text]:
    expected, came = running.watch.expected, int(seen.observed.is_first.sum())
    values: dict[str, Value] = {
        "run": running.campaign.run.name,
        "came": came,
        "findings": len(seen.findings),
    }
    if expected.forecast is None:
        yield say("watch.head_plain", **values)
        yield say("watch.no_campaign")
    else:
        yield say("watch.head", share=expected.forecast.share(seen.now), **values)
    if not seen.findings:
        yield say("watch.quiet")
    for finding in seen.findings:
        yield from _finding(running, finding)
    yield from _outcomes_so_far(running, seen)
    params = running.watch.params
    yield say("watch.error", error=params.error, campaigns=params.campaigns)


def _gain(seen: Seen) -> dict[str, object] | None:
    """Return for programs what outcomes say so far, and what they would tell."""
    if seen.compared is None or seen.noticing is None:
        return None
    return {
        "users": len(seen.compared.rows),
        "measured": seen.compared.measured.to_dict(),
        "stated": seen.compared.stated.to_dict(),
        "noticed_after": {"nothing": seen.noticing.nothing, "half": seen.noticing.half},
        "least_shortfall": seen.noticing.least,
    }


def _outcomes_so_far(running: RunningCampaign, seen: Seen) -> Iterator[Text]:
    """Yield what outcomes say so far, and which shortfall they would tell by when."""
    compared, told, expected = seen.compared, seen.noticing, running.watch.expected
    if compared is None or told is None or expected.forecast is None:
        return
    forecast, settled = expected.forecast, running.watch.params.settled_after

    def by(share: float | None) -> Message:
        if share is None:
            return say("watch.not_noticed")
        at = clock(forecast.moment(share) + settled, expected.zone)
        return say("watch.noticed_by", at=at)

    measured, stated = compared.measured, compared.stated
    yield say(
        "watch.gain_so_far",
        users=len(compared.rows),
        measured=1000 * measured.value,
        half=1000 * (measured.high - measured.value),
        stated=1000 * stated.value,
    )
    yield say("watch.gain_noticed", nothing=by(told.nothing), half=by(told.half))


def _finding(running: RunningCampaign, finding: Finding) -> Iterator[Text]:
    zone = running.watch.expected.zone
    severity = say(f"watch.severity.{finding.severity}")
    yield say("watch.line", severity=severity, finding=finding.key, text=finding.text)
    if finding.since is not None:
        yield say("watch.since", at=clock(finding.since, zone))
    if finding.answered is not None:
        moment = clock(finding.answered.at, zone)
        yield say("watch.declined", name=finding.answered.name, at=moment)
    elif finding.proposal is not None:
        yield say("watch.proposal", text=finding.proposal.text)
        # who types it again has the password in PGPASSWORD or ~/.pgpass
        place = shown_place(running.ledger)
        yield say("watch.accept", run=str(running.run_dir), ledger=place, finding=finding.key)
