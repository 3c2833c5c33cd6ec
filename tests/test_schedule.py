"""The schedule names tasks that exist, and every task may come twice."""

from datetime import datetime

import pytest

from analytics.models import IntervalRollup
from analytics.tasks import roll_up_settled_intervals
from config.celery import app
from ledger.services import SettlementWorker
from marketplace.models import Clearing, DeliveryInterval, TaskRun
from marketplace.services import market_day, order_answers
from marketplace.tasks import advance_due_intervals
from tests.town import NOW, build_town, rows_of_hour, send

State = DeliveryInterval.State


def test_every_scheduled_task_is_known() -> None:
    app.loader.import_default_modules()
    scheduled = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert len(scheduled) >= 6
    assert scheduled <= set(app.tasks)


@pytest.mark.django_db
def test_a_market_day_runs_by_its_tasks_alone_and_twice() -> None:
    towns = [build_town("One"), build_town("Two")]
    for town in towns:
        send(town, rows_of_hour(0))
    worker = SettlementWorker(holder="test")
    assert worker.take_head()
    for _ in range(2):
        advance_due_intervals()
        advance_due_intervals()
        worker.settle_inbox(now=NOW)
    worker.give_back()
    roll_up_settled_intervals()
    roll_up_settled_intervals()

    states = DeliveryInterval.objects.values_list("state", "revision")
    assert list(states) == [(State.SETTLED, 1)] * len(towns)
    assert Clearing.objects.count() == len(towns)
    assert IntervalRollup.objects.count() == 2 * len(towns)


@pytest.mark.django_db
def test_one_bad_community_does_not_hold_up_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = build_town("One"), build_town("Two")
    send(good, rows_of_hour(0))
    advance = market_day.advance_community

    def advance_unless_bad(*, community_id: int, now: datetime) -> market_day.Advanced:
        if community_id == bad.community.id:
            raise RuntimeError("its rules cannot be read")
        return advance(community_id=community_id, now=now)

    monkeypatch.setattr(market_day, "advance_community", advance_unless_bad)
    with pytest.raises(ExceptionGroup, match="could not advance") as caught:
        advance_due_intervals()
    assert [str(each) for each in caught.value.exceptions] == ["its rules cannot be read"]
    assert Clearing.objects.get().interval.community == good.community


@pytest.mark.django_db
def test_a_task_notes_how_it_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    app.loader.import_default_modules()
    task = app.tasks["marketplace.tasks.forget_order_news"]
    task.apply()
    noted = TaskRun.objects.get(name=task.name)
    assert noted.ended_at is not None
    assert noted.failed_at is None

    def fail(*, now: datetime) -> None:
        raise RuntimeError("no room\nand more")

    monkeypatch.setattr(order_answers, "forget_news", fail)
    task.apply()
    failed = TaskRun.objects.get(name=task.name)
    assert failed.ended_at == noted.ended_at
    assert failed.failed_at is not None
    assert failed.failure == "RuntimeError: no room"
