"""`dagster dev` as a user has it, in Chromium: its graph, a run started by hand, its checks and what it tells."""

import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from orchestrated import OTHER, SMALL, Orchestrated
from support import PATIENCE, ROOT, free_ports, wait_until

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
SCREENSHOTS = ROOT / ".cache" / "dagster" / "screenshots"


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/server_info", timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture
def address(fresh: Orchestrated) -> Iterator[str]:
    """The address of `dagster dev` in a checkout of which one dataset was built before it started."""
    fresh.registry("run", OTHER)
    (port,) = free_ports(1)
    with fresh.dagster_dev(port):
        wait_until(lambda: answers(f"http://127.0.0.1:{port}"))
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def page() -> Iterator[Page]:
    """A page of a real browser, in which whatever is waited for may take long."""
    if CHROMIUM is None:
        # Skipped in CI, nobody would see that nothing was tried.
        (pytest.fail if os.environ.get("CI") else pytest.skip)("needs Chromium: apt-get install chromium")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = browser.new_page(viewport={"width": 1500, "height": 1000})
        page.set_default_timeout(PATIENCE * 1000)
        expect.set_options(timeout=PATIENCE * 1000)
        yield page
        page.screenshot(path=SCREENSHOTS / "last.png")
        browser.close()


def test_a_user_sees_the_graph_starts_a_run_and_reads_what_came_of_it(page: Page, address: str, fresh: Orchestrated):
    # Dagster greets whoever comes for the first time with a form.
    page.add_locator_handler(page.get_by_role("button", name="Skip"), lambda button: button.click(), no_wait_after=True)
    page.goto(f"{address}/locations/registry/asset-groups/datasets/lineage")
    expect(page.get_by_text("opencloudhub-readmes-embeddings").first).to_be_visible()
    page.screenshot(path=SCREENSHOTS / "graph.png")

    page.goto(f"{address}/assets/{SMALL}")
    page.get_by_role("button", name="Materialize").first.click()
    wait_until(lambda: fresh.newest(SMALL))
    page.goto(f"{address}/runs")
    page.locator('a[href^="/runs/"]').first.click()
    expect(page.get_by_text("RUN_SUCCESS")).to_be_visible()
    page.screenshot(path=SCREENSHOTS / "run.png")

    page.goto(f"{address}/assets/{SMALL}?view=events")
    expect(page.get_by_text(f"{SMALL}-v1.0.0")).to_be_visible()
    page.screenshot(path=SCREENSHOTS / "metadata.png")
    page.locator("tr", has_text="picture").get_by_text("Show Markdown").click()
    picture = page.get_by_role("img", name="overview.svg")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") > 0
    page.screenshot(path=SCREENSHOTS / "picture.png")

    page.goto(f"{address}/assets/{SMALL}?view=checks")
    expect(page.get_by_text("Succeeded", exact=True)).to_have_count(8)
    page.screenshot(path=SCREENSHOTS / "checks.png")

    # What was built before Dagster was started, its daemon has told of.
    wait_until(lambda: fresh.newest(OTHER))
    page.goto(f"{address}/assets/{OTHER}?view=events")
    expect(page.get_by_text("Reported")).to_be_visible()
    expect(page.get_by_text(f"{OTHER}-v1.0.0")).to_be_visible()
    page.screenshot(path=SCREENSHOTS / "outside.png")
