"""A registry with whatever a catalog may meet, its catalog, and a real browser to look at it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from browsing import CHROMIUM, QUIET, Visitor, without_chromium
from showcase import Showcase, make_showcase
from support import PATIENCE


@pytest.fixture(scope="session")
def showcase_once(once) -> Showcase:
    """The registry; look but do not touch."""
    return Showcase(once("showcase", make_showcase))


@pytest.fixture(scope="session")
def site(once, showcase_once) -> Path:
    """The catalog of all its versions; look but do not touch."""
    return once("site", lambda folder: showcase_once.registry("catalog", str(folder), "--versions", "all"))


@pytest.fixture(scope="session")
def small_once(once, showcase_once) -> Showcase:
    """The registry with the releases of two datasets alone, one of which has two."""

    def make(folder: Path) -> str:
        clone = showcase_once.copied(folder)
        clone.git("tag", "--delete", *(tag for tag in clone.tags() if not tag.startswith(("chats-", "pictures-"))))
        return ""

    return Showcase(once("small-showcase", make))


@pytest.fixture(scope="session")
def small_site(once, small_once) -> Path:
    """Its catalog; look but do not touch."""
    return once("small-site", lambda folder: small_once.registry("catalog", str(folder)))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real browser. Not for longer than a module: its loop of events would be in the way of others."""
    if CHROMIUM is None:
        without_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        expect.set_options(timeout=PATIENCE * 1000)
        yield browser
        browser.close()


@pytest.fixture
def visitor(browser, site) -> Iterator[Visitor]:
    """Somebody who looks at the catalog, and minds every complaint and every request."""
    visitor = Visitor(browser, site)
    yield visitor
    visitor.leave()
