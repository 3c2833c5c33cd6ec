"""The operator's pages: lights, what needs somebody, meters with gaps, alerts, the ledger."""

from datetime import date, timedelta

from django.utils import timezone

from ledger.queries import get_answers
from marketplace.domain.notices import MAIL_TRIES
from marketplace.models import (
    Alert,
    AlertStep,
    DeliveryInterval,
    MeterDay,
    MeteringPoint,
    MeterState,
    Notice,
    NoticeMail,
    ProductionDevice,
    Reading,
    User,
    WatchedDay,
)
from marketplace.services.health import note_task_run, note_verification
from marketplace.services.notice_mails import note_failed
from marketplace.services.surveillance import watch_community
from tests.web.city import NOW, City, address, signed_in
from tests.web.test_query_counts import asked

DAY = date(2026, 6, 15)


def watch(city: City) -> int:
    return watch_community(community_id=city.community_id, now=timezone.now())


def page(city: City, path: str = "", **query: str) -> str:
    answer = signed_in("olga").get(f"/operator/{city.participant_ids['olga']}/{path}", query)
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


def test_lights_say_what_is_wrong_and_what_needs_somebody(city: City) -> None:
    watch(city)
    text = page(city)

    assert "nobody writes" in text  # no worker runs in a test
    assert "1 of 6 meters" in text
    assert "with gaps, 1 reading missing" in text
    assert "no task has ended yet" in text
    assert "1 meter lacks readings" in text
    assert "June 2026 is over and not billed" in text


def test_tasks_are_late_failed_or_well(city: City) -> None:
    now = timezone.now()
    note_task_run(name="marketplace.tasks.match_wishes", now=now)
    note_task_run(name="marketplace.tasks.advance_orders", now=now - timedelta(hours=1))
    note_task_run(name="marketplace.tasks.close_due_gates", now=now - timedelta(seconds=1))
    note_task_run(
        name="marketplace.tasks.close_due_gates", now=now, failure="ValueError: no such gate"
    )
    note_verification(started_at=now, now=now, last_block=7, problems=["block 7 lies"])
    text = page(city)

    assert "ValueError: no such gate" in text
    assert "2 scheduled tasks fail or are late" in text
    assert "The last verification found something that does not follow" in text
    assert "block 7 lies" in page(city, "ledger/")


def test_mails_that_were_given_up_are_counted_and_tried_again(city: City) -> None:
    now = timezone.now()
    # Its tenth try is still on its way, and then refused as well.
    mail = NoticeMail.objects.create(
        user=User.objects.get(email=address("alice")),
        sealed=b"",
        is_digest=False,
        created_at=now,
        try_count=MAIL_TRIES,
        next_try_at=now + timedelta(hours=1),
    )
    assert "given up" not in page(city)
    note_failed(mail_id=mail.id, now=now)
    text = page(city)
    assert "1 mail given up" in text and "1 mail was refused ten times" in text
    path = f"/operator/{city.participant_ids['olga']}/mails"
    assert path in text and signed_in("alice").post(path).status_code == 404
    assert "1 mail is tried again." in signed_in("olga").post(path, follow=True).content.decode()
    mail.refresh_from_db()
    assert mail.try_count == 0 and mail.next_try_at <= timezone.now()
    assert "given up" not in page(city)


def test_the_live_part_says_nothing_twice(city: City) -> None:
    path = f"/operator/{city.participant_ids['olga']}/health"
    client = signed_in("olga")
    first = client.get(path)
    seen = first.content.decode().partition("?seen=")[2][:16]

    assert "hx-swap-oob" in first.content.decode()
    again = client.get(path, {"seen": seen})
    assert again.status_code == 204 or "hx-swap-oob" not in again.content.decode()
    assert signed_in("alice").get(path).status_code == 404


def test_meters_are_found_by_gap_and_code(city: City) -> None:
    watch(city)
    everyone, gaps = page(city, "meters/"), page(city, "meters/", show="gaps")

    assert everyone.count('data-label="Last reading"') == 6
    assert "2026-06-15 23:00" in gaps  # the last home's last reading ended there
    assert gaps.count('data-label="Last reading"') == 1
    assert "95.8" in gaps  # 23 of 24, never rounded up
    assert page(city, "meters/", search="m3").count('data-label="Last reading"') == 1
    table = page(city, "meters.csv", show="gaps").splitlines()
    assert len(table) == 2
    assert table[1].startswith("m5,")


def test_a_day_is_added_up_again_only_when_it_changed(city: City) -> None:
    assert watch(city) == 1
    assert watch(city) == 0
    state = MeterState.objects.get(metering_point__code="m5")
    assert (state.expected_count, state.missing_count) == (24, 1)
    day = MeterDay.objects.get(metering_point__code="m0", day=DAY)
    assert (day.expected_count, day.reading_count, day.night_export_wh) == (24, 24, 0)
    assert day.import_wh == sum((900 + 11 * hour) for hour in range(24) if not 9 <= hour < 16)
    assert day.export_wh == sum(700 + 17 * hour for hour in range(9, 16))


def test_an_alert_is_judged_with_words_and_stays_so(city: City) -> None:
    client, path = signed_in("olga"), f"/operator/{city.participant_ids['olga']}/surveillance/"
    alert = Alert.objects.create(
        key="night", rule="night_export", community_id=city.community_id, day=DAY,
        participant_id=city.participant_ids["alice"],
        figures={"energy": 900, "threshold": 500}, found_at=timezone.now(),
        changed_at=timezone.now(),
    )  # fmt: skip
    text = client.get(path).content.decode()
    assert "0.90" in text
    assert "looked at from 0.50" in text

    client.post(f"{path}{alert.pk}", {"state": "closed", "note": " "})
    assert Alert.objects.get(pk=alert.pk).state == Alert.State.OPEN
    client.post(f"{path}{alert.pk}", {"state": "explained", "note": "A battery, registered now."})
    assert "Nothing unusual is open" in client.get(path).content.decode()
    explained = client.get(path, {"state": "explained"}).content.decode()
    assert "A battery, registered now." in explained
    assert "Hall office" in explained
    assert signed_in("bob").post(f"{path}{alert.pk}").status_code == 404


def test_members_are_told_of_a_gap_of_their_own_while_it_is_news(city: City) -> None:
    watch(city)
    assert not Notice.objects.filter(kind="reading_gap").exists()  # of last summer: no news
    WatchedDay.objects.all().delete()
    watch_community(community_id=city.community_id, now=NOW)
    told = Notice.objects.filter(kind="reading_gap").values_list("participant", flat=True)
    sixth = MeteringPoint.objects.get(code="m5").site.participant_id
    assert list(told) == [sixth]


def test_a_correction_counts_by_its_latest_version_and_more_alerts_ask_no_oftener(
    city: City,
) -> None:
    watch(city)
    interval = DeliveryInterval.objects.order_by("starts_at")[3]
    point = MeteringPoint.objects.get(code="m1")
    first = Reading.objects.get(interval=interval, metering_point=point)
    Reading.objects.create(
        interval=interval, metering_point=point, version=2, import_wh=first.import_wh + 5_000,
        export_wh=0, quality=1, batch_id=first.batch_id,
    )  # fmt: skip
    before = MeterDay.objects.get(metering_point=point, day=DAY)
    DeliveryInterval.objects.filter(pk=interval.pk).update(has_news=True)
    assert watch(city) == 1
    after = MeterDay.objects.get(metering_point=point, day=DAY)
    assert after.import_wh == before.import_wh + 5_000
    assert (after.reading_count, after.estimated_count) == (24, 1)
    assert after.profile != before.profile

    paths = [f"/operator/{city.participant_ids['olga']}/{page}" for page in ("", "surveillance/")]
    found = []
    for number in range(4):
        alert = Alert.objects.create(
            key=str(number), rule="self_trade", community_id=city.community_id, day=DAY,
            participant_id=city.participant_ids["alice"], figures={"energy": 900, "threshold": 1},
            found_at=NOW, changed_at=NOW,
        )  # fmt: skip
        AlertStep.objects.create(
            alert=alert, state=1, note="seen", operator_id=city.participant_ids["olga"], at=NOW
        )
        found.append([asked(signed_in("olga"), path) for path in paths])
    assert found[0] == found[3]


def test_devices_and_deposits_are_entered_once(city: City) -> None:
    client, ids = signed_in("olga"), city.participant_ids
    path = f"/operator/{ids['olga']}/entries/"
    device = {
        "what": "device",
        "device-community": str(city.community_id),
        "device-meter": "m1",
        "device-technology": "solar",
        "device-capacity": "6.5",
        "device-commissioned_on": "2024-05-01",
        "device-certified_from": "2026-06-15",
    }
    assert client.post(path, device).status_code == 302
    assert ProductionDevice.objects.get(metering_point__code="m1").capacity_w == 6_500
    again = client.post(path, device)
    assert "has a device; end it first" in again.content.decode()
    deposit = {
        "what": "deposit",
        "deposit-participant": str(ids["dora"]),
        "deposit-amount": "12.50",
        "deposit-currency": "CNY",
        "deposit-reference": "bank-7",
    }
    assert client.post(path, deposit).status_code == 302
    assert client.post(path, deposit).status_code == 302
    assert list(get_answers(keys=["deposit:bank-7"])) == ["deposit:bank-7"]
    other = client.post(path, {**deposit, "deposit-amount": "13"})
    assert "It was used before, for another amount or wallet." in other.content.decode()
    assert signed_in("alice").get(path).status_code == 404
