"""What a visitor with a telephone waits for and receives: the largest paint, the bytes on the way.

``python -m benchmarks.page_paint SITE SESSION PATH...`` asks a running hall.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

CHROMIUM: Final = Path("/usr/bin/chromium")
ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
LARGEST: Final = """() => new Promise((resolve) => {
  new PerformanceObserver((list) => resolve(list.getEntries().at(-1).startTime))
    .observe({ type: 'largest-contentful-paint', buffered: true });
})"""


@dataclass(frozen=True)
class PagePaint:
    """Medians over visits, each with an empty cache."""

    path: str
    largest_paint_ms: float
    transferred_bytes: int


def measure_paints(
    *, site: str, session: str, paths: list[str], width: int = 360, visits: int = 5
) -> list[PagePaint] | None:
    """Open pages in Chromium; None where there is no browser.

    Parameters
    ----------
    site : str
        Scheme, host and port of a running hall.
    session : str
        The session cookie of somebody who may see the pages.
    paths : list of str
        Pages by their path.
    width : int
        Of the screen. [px]
    visits : int
        Of each page, each in a browser context of its own: nothing is cached.
    """
    if not CHROMIUM.exists():
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(ARGUMENTS))
        paints = []
        for path in paths:
            seen = [_visit(browser, site, session, path, width) for _ in range(visits)]
            paints.append(
                PagePaint(
                    path,
                    median(paint for paint, _ in seen),
                    int(median(weight for _, weight in seen)),
                )
            )
        browser.close()
    return paints


def _visit(browser: Any, site: str, session: str, path: str, width: int) -> tuple[float, float]:
    """Return the largest paint [ms] and the bytes that came for one visit."""
    with browser.new_context(viewport={"width": width, "height": 800}) as context:
        context.add_cookies([{"name": "sessionid", "value": session, "url": site}])
        page = context.new_page()
        received: list[float] = []
        network = context.new_cdp_session(page)
        network.send("Network.enable")
        network.on(
            "Network.loadingFinished", lambda done: received.append(done["encodedDataLength"])
        )
        page.goto(site + path, wait_until="networkidle")
        paint: float = page.evaluate(LARGEST)
        return paint, sum(received)


if __name__ == "__main__":
    for each in measure_paints(site=sys.argv[1], session=sys.argv[2], paths=sys.argv[3:]) or []:
        weight = each.transferred_bytes / 1000
        print(f"{each.path:50} {each.largest_paint_ms:8.0f} ms {weight:8.1f} kB")
