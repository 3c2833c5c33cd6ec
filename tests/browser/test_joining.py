"""A newcomer on a telephone, in Chinese, from the link to the queue; an operator who answers."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeAlias

import pytest
from django.db import connection
from django.utils import timezone
from playwright.sync_api import Browser, Page
from pytest_django.plugin import DjangoDbBlocker

from marketplace.domain.organisations import OrgRole
from marketplace.services.organisations import Seat, invite
from marketplace.services.sign_up import begin_sign_up
from tests import databases
from tests.browser.test_pages import CUT_OFF, DESK, PHONE, opened, serious, set_language, sign_in
from tests.web.city import City

pytestmark = pytest.mark.browser

ADDRESS: Final = "newcomer@heliopolis.example"
FOLDER: Path | None = None
OfMail: TypeAlias = Callable[[Callable[[], str | None]], str]


@pytest.fixture
def of_mail(django_db_blocker: DjangoDbBlocker) -> OfMail:
    """Return what only a mail has: made beside the browser, whose thread may touch no database."""

    def made(make: Callable[[], str | None]) -> str:
        def work() -> str | None:
            connection.settings_dict["NAME"] = f"{databases.worker_name()}_served"
            try:
                return make()
            finally:
                connection.close()

        with django_db_blocker.unblock(), ThreadPoolExecutor(1) as beside:
            token = beside.submit(work).result()
        assert token is not None
        return token

    return made


def look(page: Page, name: str, width: int) -> None:
    assert page.locator("h1").count() == 1, name
    assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    assert page.evaluate(CUT_OFF) == [], name
    assert serious(page) == [], name
    if FOLDER is not None:
        page.screenshot(path=str(FOLDER / f"{name}.png"), full_page=True)


def test_somebody_joins(served_city: tuple[City, str], browser: Browser, of_mail: OfMail) -> None:
    city, site = served_city
    complaints: list[str] = []
    token = of_mail(lambda: begin_sign_up(email=ADDRESS, now=timezone.now()))
    with browser.new_context(viewport={"width": PHONE, "height": 740}) as context:
        page = opened(context, complaints)
        set_language(context, site, "zh-hans")
        page.goto(f"{site}/join/confirm/{token}")
        look(page, "confirm", PHONE)
        page.fill("#id_password", "sunny-side-77")
        page.keyboard.press("Enter")
        page.wait_for_url("**/join/application/site")
        look(page, "site", PHONE)
        page.fill("#id_name", "新家")
        page.click("main button.main")
        page.fill("#id_meter", "NEW-1")
        look(page, "meter", PHONE)
        page.click("main button.main")
        page.wait_for_url("**/join/application/texts")
        look(page, "texts", PHONE)
        for box in page.locator("main input[type=checkbox]").all():
            box.check()
        page.click("main button.main")
        page.wait_for_url("**/join/application/rule")
        look(page, "rule", PHONE)
        page.click("main button.main")
        page.wait_for_url("**/join/application/send")
        look(page, "send", PHONE)
        page.click("main button.main")
        page.wait_for_url("**/join/state")
        look(page, "state", PHONE)

        with browser.new_context(viewport={"width": DESK, "height": 900}) as office:
            desk = opened(office, complaints)
            sign_in(desk, site, "olga")
            desk.goto(f"{site}/operator/{city.participant_ids['olga']}/applications/")
            look(desk, "queue", DESK)
            desk.click("main table a")
            look(desk, "decide", DESK)
            desk.click("main button.main")
            desk.wait_for_selector(".notice.success")

        page.goto(f"{site}/join/state")
        look(page, "member", PHONE)
        assert "NEW-1" in page.locator("main").inner_text()
        page.click("main h2 a")
        page.wait_for_url("**/household/*/")
    assert complaints == []


def test_a_colleague_accepts(
    served_city: tuple[City, str], browser: Browser, of_mail: OfMail
) -> None:
    city, site = served_city
    complaints: list[str] = []
    bakery = city.participant_ids["erin"]
    token = of_mail(
        lambda: invite(
            participant_id=bakery,
            email="colleague@heliopolis.example",
            alias="Purchasing 2",
            seat=Seat(OrgRole.TRADER, 50_000_000, 400_000_000),
            now=timezone.now(),
        )
    )
    with browser.new_context(viewport={"width": DESK, "height": 900}) as context:
        page = opened(context, complaints)
        page.goto(f"{site}/invitation/{token}")
        look(page, "invitation", DESK)
        page.fill("#id_password", "flour-and-sun-9")
        page.keyboard.press("Enter")
        page.wait_for_url("**/organisation/*/")
        look(page, "organisation_trader", DESK)
        assert page.locator("#invite").count() == 0
    with browser.new_context(viewport={"width": PHONE, "height": 740}) as context:
        page = opened(context, complaints)
        sign_in(page, site, "erin")
        page.goto(f"{site}/organisation/{bakery}/")
        look(page, "organisation_owner", PHONE)
    assert complaints == []
