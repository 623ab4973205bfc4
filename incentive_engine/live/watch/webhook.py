"""Posts findings to a URL, with a few tries and a bound on the time they take."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from incentive_engine.config.access.http_url import refuse_other_url
from incentive_engine.errors import DataError, Fault
from incentive_engine.language import Text, message_of, say
from incentive_engine.live.watch.finding import Finding


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where findings are posted.

    Raises
    ------
    ConfigError
        When the URL is none of HTTP.
    """

    url: str

    def __post_init__(self) -> None:
        """Check the URL."""
        refuse_other_url(self.url, where="--webhook")

    @property
    def shown(self) -> str:
        """The URL's host: many a receiver has its secret in the path, as others in the query."""
        parts = urlsplit(self.url)
        place = parts.netloc.rpartition("@")[2]
        return f"{parts.scheme}://{place}/…"

    def post(
        self,
        run: str,
        findings: Sequence[Finding],
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Post findings as JSON: `run`, `findings`, and `left_out` where there are too many.

        Raises
        ------
        DataError
            When it was not taken after every try, or was refused.
        """
        # findings of one post; the most severe come first
        most = 100
        content: dict[str, Any] = {
            "run": run,
            "findings": [finding.to_dict() for finding in findings[:most]],
            "left_out": max(len(findings) - most, 0),
        }
        body = json.dumps(content, ensure_ascii=False).encode()
        why: Text = ""
        # seconds before another try; after the last it is given up
        pauses = (0.5, 1.0, 2.0, 4.0)
        for pause in (*pauses, None):
            why = self._try(body)
            if not why:
                return
            if pause is not None:
                sleep(pause)
        tries = len(pauses) + 1
        raise DataError(
            self._fault(say("could not be reached, {tries} times: {why}", tries=tries, why=why))
        )

    def _try(self, body: bytes) -> Text:
        """Return what went wrong with one try; nothing where it was taken.

        Raises
        ------
        DataError
            When it was refused for good: another try would be as well.
        """
        headers = {"Content-Type": "application/json", "User-Agent": "incentive-watch"}
        request = urllib.request.Request(self.url, data=body, headers=headers)  # noqa: S310 - HTTP alone
        try:
            # for which one try may take
            seconds = 5.0
            with urllib.request.urlopen(request, timeout=seconds) as response:  # noqa: S310 - likewise
                response.read(1024)
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code not in {408, 425, 429}:
                raise DataError(
                    self._fault(say("refused the findings: {code}", code=error.code))
                ) from None
            return str(error.code)
        except (urllib.error.URLError, OSError, ValueError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            return message_of(reason) if isinstance(reason, Exception) else str(reason)
        return ""

    def _fault(self, what: Text) -> Fault:
        remedy = "see to the receiver; findings stay found, and are posted again"
        return Fault(f"--webhook {self.shown}", what, remedy=remedy)
