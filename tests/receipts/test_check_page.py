"""The page "check it yourself" in a real browser with the network cut."""

import os
import random
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from ledger.domain.receipt_text import link_text
from ledger.domain.receipts import verify
from ledger.errors import ReceiptRefused
from tests import databases
from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.receipts import paper

pytestmark = pytest.mark.browser

CHANGES = 60


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a web server whose hall has the policy of the paper log."""
    if not CHROMIUM.exists():
        pytest.skip(f"no browser: {CHROMIUM} is not there")
    policy = tmp_path_factory.mktemp("hall") / "policy"
    policy.write_text(paper.POLICY_TEXT)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}"]
    command += ["--threads", "2", "--log-level", "error", "config.wsgi:application"]
    environment = {**os.environ, "HELIOPOLIS_LOG_POLICY": str(policy)}
    with subprocess.Popen(command, cwd=databases.PROJECT, env=environment) as server:
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(f"{address}/receipts/check")
            yield address
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def browser(site: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(site: str, browser: Browser) -> Iterator[Page]:
    """Return the page, loaded, then with its network cut; it must ask for nothing and be quiet."""
    complaints: list[str] = []
    with browser.new_context() as context:
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda said: (
                complaints.append(said.text)
                if said.type in ("error", "warning") and not is_icon(said.location["url"])
                else None
            ),
        )
        page.goto(f"{site}/receipts/check", wait_until="networkidle")
        context.set_offline(True)
        context.route("**", lambda route: route.abort())
        page.on(
            "request",
            lambda request: (
                None if is_icon(request.url) else complaints.append(f"asked for {request.url}")
            ),
        )
        yield page
        assert complaints == []


def _wait_for(url: str) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(url):  # noqa: S310 - our own address
                return
        except (URLError, ConnectionError):
            time.sleep(0.1)
    raise TimeoutError(url)


def is_icon(url: str) -> bool:
    """Chromium itself asks again for a page's icon when the address changes behind ``#``."""
    return url.endswith("/sun.svg")


def checked(page: Page, receipt: str) -> str:
    """Paste a receipt, have it checked, and return the verdict."""
    page.evaluate("document.getElementById('result').replaceChildren()")
    page.fill("#receipt", receipt)
    page.locator("#check button.main").click()
    page.wait_for_selector("#result h2")
    return page.locator("#result h2").inner_text()


def failed_step(page: Page) -> str | None:
    failed = page.locator("#result .failed")
    return failed.get_attribute("data-step") if failed.count() else None


def step_of(receipt: str) -> str | None:
    try:
        verify(receipt, paper.POLICY)
    except ReceiptRefused as refusal:
        return refusal.step
    return None


def test_every_kind_of_receipt_holds(page: Page) -> None:
    shown = {
        "transfer": ["2,000", "Sold to the grid"],
        "document": ["Zoë 的合同"],
        "row": ["Account\n7"],
        "balance": ["39", "0.038610 CNY"],
    }
    for kind, receipt in paper.receipts().items():
        assert checked(page, receipt) == "✓ The receipt holds.", kind
        assert page.locator("#result .steps .done").count() == 6
        facts = page.locator("#result .facts").inner_text()
        assert all(text in facts for text in shown[kind]), (kind, facts)
        assert page.locator("#result [data-step=cosignatures] li").count() == 4


def test_one_changed_character_is_refused_at_the_same_step_as_here(page: Page) -> None:
    chosen = random.Random(5)
    for receipt in paper.receipts().values():
        for _ in range(CHANGES // 4):
            place = chosen.randrange(len(receipt) - 1)
            other = chosen.choice([c for c in "A7+/=bQ—" if c != receipt[place]])
            changed = receipt[:place] + other + receipt[place + 1 :]
            assert checked(page, changed) == "✗ Refused. This receipt proves nothing.", place
            assert failed_step(page) == step_of(changed), place


def test_a_file_a_drop_and_a_link_are_read(site: str, page: Page, tmp_path: Path) -> None:
    receipt = paper.receipts()["transfer"]
    file = tmp_path / "transfer.tlog-proof"
    file.write_text(receipt)
    page.set_input_files("#file", file)
    page.wait_for_selector("#result h2.holds")
    page.evaluate("document.getElementById('result').replaceChildren()")
    page.evaluate("link => { location.hash = link }", link_text(receipt))
    page.wait_for_selector("#result h2.holds")
    assert page.input_value("#receipt") == receipt
    page.evaluate("location.hash = 'AAAA'")
    page.wait_for_selector("#result h2.refused")
    page.evaluate(
        """text => {
          const data = new DataTransfer();
          data.items.add(new File([text], "x.tlog-proof"));
          document.dispatchEvent(new DragEvent("drop", {dataTransfer: data, cancelable: true}));
        }""",
        receipt,
    )
    page.wait_for_selector("#result h2.holds")


def test_the_link_of_a_code_opens_on_a_checked_receipt(site: str, browser: Browser) -> None:
    """What is behind ``#`` never leaves the browser."""
    with browser.new_context() as context:
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        link = link_text(paper.receipts()["transfer"])
        page.goto(f"{site}/receipts/check#{link}")
        page.wait_for_selector("#result h2.holds")
        # Playwright names the document with its fragment; the server's request line has none.
        assert not any(link[:20] in url for url in asked[1:])


def test_ones_own_policy_counts(page: Page) -> None:
    receipt = paper.receipts()["transfer"]
    page.locator("summary", has_text="Whom you trust").click()
    log = paper.POLICY_TEXT.split("\n", 1)[0]
    page.fill("#policy", f"{log}\nquorum none\n")
    assert checked(page, receipt) == "✓ The receipt holds, but on the hall's word alone."
    dan = next(line for line in paper.POLICY_TEXT.split("\n") if line.startswith("witness dan"))
    page.fill("#policy", f"{log}\n{dan}\nquorum dan\n")
    assert checked(page, receipt).startswith("✗")
    assert failed_step(page) == "cosignatures"
    assert checked(page, paper.receipts(paper.checkpoint())["transfer"]).startswith("✓")
    page.fill("#policy", f"{log}\n{dan}\nquorum eve\n")
    assert "policy cannot be used" in checked(page, receipt)


def test_the_page_fits_in_both_languages(site: str, browser: Browser) -> None:
    for language, title in (("en", "Check a receipt yourself"), ("zh-hans", "自己核验回执")):
        with browser.new_context() as context:
            context.add_cookies([{"name": "django_language", "value": language, "url": site}])
            page = context.new_page()
            page.goto(f"{site}/receipts/check")
            assert page.locator("h1").inner_text() == title
            checked(page, paper.receipts()["transfer"])
            page.locator("details.more summary").click()
            for width in (360, 1440):
                page.set_viewport_size({"width": width, "height": 800})
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                folder = os.environ.get("SCREENSHOTS")
                if folder:
                    page.screenshot(path=f"{folder}/check-{language}-{width}.png", full_page=True)


def test_the_header_forbids_to_send(site: str) -> None:
    with urllib.request.urlopen(f"{site}/receipts/check") as answer:  # noqa: S310 - our own address
        assert "connect-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
