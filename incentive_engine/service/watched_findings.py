"""What a planner should know of the running campaign, by the same code as `incentive watch`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import msgspec

from incentive_engine.language import say
from incentive_engine.live.campaign import LiveCampaign
from incentive_engine.live.ledger.clock import wall_micros
from incentive_engine.live.watch.finding import Finding
from incentive_engine.service.api.bodies import FindingBody

if TYPE_CHECKING:
    from incentive_engine.live.watch.watching import Watch


class WatchedFindings:
    """Looks at a ledger beside the calls that are answered.

    Parameters
    ----------
    ledger
        Where it is.
    """

    FRESH: ClassVar = 5.0
    """Seconds for which findings are shown again without another look."""

    def __init__(self, campaign: LiveCampaign, ledger: str) -> None:
        self._campaign, self._ledger = campaign, ledger
        self._watch: Watch | None = None
        self._lock = asyncio.Lock()
        self._found: tuple[Finding, ...] = ()
        self._looked_at, self._fresh = -self.FRESH, self.FRESH

    async def now(self, restarts: int, requests: Mapping[str, int]) -> list[FindingBody]:
        """Return what is found, at most a few seconds old.

        Parameters
        ----------
        restarts
            How often the ledger's writer was started again.
        requests
            Key to how often it has asked this server.
        """
        async with self._lock:
            if time.monotonic() - self._looked_at >= self._fresh:
                began = time.monotonic()
                self._found = await asyncio.to_thread(self._look, {**requests})
                self._looked_at = time.monotonic()
                # for how many times as long as a look takes its findings are shown: decisions go
                # first
                rarely = 20.0
                self._fresh = max(self.FRESH, rarely * (self._looked_at - began))
        findings = [*self._found]
        if restarts:
            text = say("watch.writer_restarted", restarts=restarts)
            figures = {"restarts": restarts}
            findings.append(
                Finding(key="writer_restarted", severity="warning", figures=figures, text=text)
            )
        return [body_of(finding) for finding in findings]

    def _look(self, requests: Mapping[str, int]) -> tuple[Finding, ...]:
        if self._watch is None:
            from incentive_engine.live.watch.watching import Watch  # loads pandas

            self._watch = Watch(self._campaign.run.directory, self._campaign)
        observed = self._watch.read(self._ledger)
        prices = self._campaign.prices.by_name()
        return self._watch.findings(observed, wall_micros(), prices=prices, requests=requests)


def body_of(finding: Finding) -> FindingBody:
    """Return a finding as it is answered."""
    figures = {name: str(figure) for name, figure in finding.figures.items()}
    return msgspec.convert({**finding.to_dict(), "figures": figures}, FindingBody)
