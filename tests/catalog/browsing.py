"""Look at pages in a real Chromium, which is Debian's, and mind what they do."""

import os
import shutil
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect

from support import PATIENCE, ROOT

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
SCREENSHOTS = ROOT / ".cache" / "catalog" / "screenshots"
"""Where pictures of the pages are kept, to be looked at."""
OWN = ("file", "data", "blob", "about")
"""Schemes of what a page may load: none of them leaves this machine."""


def without_chromium() -> NoReturn:
    """Skip a test; in CI, where nobody would see that nothing was tried, fail."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)("needs Chromium: apt-get install chromium")


class Visitor:
    """Somebody with a browser, who notes what pages complain of, and whatever they ask the network for."""

    def __init__(self, browser: Browser, site: Path, **options: Any) -> None:
        self.site = site
        self.context = browser.new_context(viewport={"width": 1400, "height": 900}, **options)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE * 1000)
        self.problems: list[str] = []
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        self.page.on("request", self._asked)
        self.page.on("requestfailed", lambda request: self.problems.append(f"failed: {request.url}"))
        self.page.on("dialog", lambda dialog: self.problems.append(f"dialog: {dialog.message}"))

    def _said(self, message: ConsoleMessage) -> None:
        self.problems.append(f"{message.type}: {message.text}")

    def _asked(self, request: Request) -> None:
        if urlsplit(request.url).scheme not in OWN:
            self.problems.append(f"request: {request.url}")

    def open(self, path: str) -> Page:
        """Open a page of the catalog, by its path and fragment."""
        self.page.goto(f"{self.site.as_uri()}/{path}")
        return self.page

    def draw_all(self) -> None:
        """Have all charts drawn, as for paper, and wait until they are."""
        self.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        expect(self.page.locator(".chart:not(:has(svg))")).to_have_count(0)

    def look(self, name: str) -> None:
        """Keep a picture of all of the page."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)

    def inside(self, address: str) -> str | None:
        """Return the path in the catalog, with the fragment, that an address leads to; None of one elsewhere."""
        parts = urlsplit(address)
        if parts.scheme != "file":
            return None
        path = Path(unquote(parts.path)).relative_to(self.site)
        return f"{path}#{unquote(parts.fragment)}" if parts.fragment else str(path)

    def leave(self) -> None:
        """Go; nothing that anybody else has written must have been run, and nothing must have been complained of."""
        hit = self.page.evaluate("window.hit")
        self.context.close()
        assert self.problems == [], "\n".join(self.problems)
        assert hit is None
