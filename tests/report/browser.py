"""A headless Chromium that tests talk to over its own DevTools pipe: no driver, no network."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

AXE: Final = files("axe_core_python").joinpath("axe.min.js").read_text("utf-8")
CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)
PATIENCE: Final = 60.0
"""Seconds to wait for an answer before the test fails."""


@dataclass(slots=True)
class Browser:
    """One page, and what happened in it."""

    reading: int
    writing: int
    session: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    sent: int = 0
    rest: bytes = b""

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result; events that come meanwhile are kept."""
        self.sent += 1
        message = {"id": self.sent, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.writing, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self.sent:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def open(self, file: Path, *, width: int = 1200, height: int = 900) -> None:
        """Load a file at a window size and wait until it has loaded."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.events.clear()
        self.call("Page.navigate", url=file.resolve().as_uri())
        self.wait("document.readyState === 'complete' && location.protocol === 'file:'")

    def visit(self, url: str, *, width: int = 1280, height: int = 900, lang: str = "en") -> None:
        """Load a page of a server at a window size, in a language."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.call("Network.setExtraHTTPHeaders", headers={"Accept-Language": lang})
        self.run("window.stale = true")
        self.call("Page.navigate", url=url)
        self.wait("window.stale === undefined && document.readyState === 'complete'")

    def wait(self, condition: str) -> None:
        """Wait until an expression of the page is true."""
        end = time.monotonic() + PATIENCE
        while not self._holds(condition):
            assert time.monotonic() < end, f"{condition}: {self.run('document.body.innerText')}"
            time.sleep(0.02)

    def _holds(self, condition: str) -> bool:
        """Whether an expression is true; not so while a page makes way for the next."""
        found = self.call("Runtime.evaluate", expression=condition, returnByValue=True)
        return bool(found["result"].get("value")) and "exceptionDetails" not in found

    def run(self, expression: str) -> Any:
        """Evaluate an expression in the page."""
        found = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def press(self, key: str, *, times: int = 1) -> None:
        """Press a key on what has the focus."""
        codes = {"Enter": 13, "ArrowRight": 39, "ArrowLeft": 37, "Home": 36, "End": 35, "Tab": 9}
        for _ in range(times):
            for kind in ("rawKeyDown", "keyUp"):
                self.call(
                    "Input.dispatchKeyEvent",
                    type=kind,
                    key=key,
                    code=key,
                    windowsVirtualKeyCode=codes[key],
                )

    def barriers(self) -> list[str]:
        """Return what axe-core finds serious or critical on the page."""
        self.run(AXE + "; true")
        found: list[str] = self.run(
            "axe.run(document, {resultTypes: ['violations']}).then(done => done.violations"
            ".filter(v => ['serious', 'critical'].includes(v.impact)).map(v => v.id + ': ' "
            "+ v.nodes.map(n => n.html + ' ' + n.failureSummary).join(' | ')))"
        )
        return found

    def pdf(self) -> bytes:
        """Return the page as it prints."""
        data: str = self.call("Page.printToPDF", printBackground=True)["data"]
        return base64.b64decode(data)

    def requests(self) -> list[str]:
        """Return the addresses that were asked for since the page was opened."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]

    def complaints(self) -> list[str]:
        """Return errors and warnings of the console since the page was opened."""
        kinds = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
        return [json.dumps(e["params"]) for e in self.events if e.get("method") in kinds]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.reading], [], [], PATIENCE)
            assert ready, "the browser does not answer"
            part = os.read(self.reading, 1 << 20)
            assert part, "the browser has gone"
            self.rest += part
        line, _, self.rest = self.rest.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """Start Chromium with a profile of its own in `folder`, and end it."""
    assert CHROMIUM is not None
    from_us, to_browser = os.pipe()
    from_browser, to_us = os.pipe()
    shell = f'exec "$@" 3<&{from_us} 4>&{to_us}'
    started = subprocess.Popen(  # noqa: S603 - the browser of this machine
        ["/bin/bash", "-c", shell, "bash", CHROMIUM, *FLAGS, f"--user-data-dir={folder}"],
        pass_fds=(from_us, to_us),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(from_us)
    os.close(to_us)
    try:
        page = Browser(reading=from_browser, writing=to_browser)
        target = page.call("Target.createTarget", url="about:blank")["targetId"]
        attached = page.call("Target.attachToTarget", targetId=target, flatten=True)
        page.session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            page.call(f"{domain}.enable")
        yield page
    finally:
        started.terminate()
        started.wait(timeout=30)
        os.close(to_browser)
        os.close(from_browser)
