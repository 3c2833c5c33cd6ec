"""Celery carries "there is work"; the work itself is state in tables.

So every message may be lost, late or repeated.
"""

import os

from celery import Celery
from celery.schedules import schedule

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery(
    "heliopolis",
    broker=os.environ.get("REDIS_URL"),
    task_cls="config.task_runs:NotedTask",
)
app.conf.update(
    # Seconds until the message of a killed worker is given again; the schedule is faster anyway.
    broker_transport_options={"visibility_timeout": 300},
    broker_connection_retry_on_startup=True,
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_hijack_root_logger=False,
    beat_schedule={
        "advance due intervals": {
            "task": "marketplace.tasks.advance_due_intervals",
            "schedule": schedule(10.0),
            "options": {"expires": 10},
        },
        "note sealed intervals": {
            "task": "marketplace.tasks.note_sealed_intervals",
            "schedule": schedule(10.0),
            "options": {"expires": 10},
        },
        # Who places an order waits for its answer.
        "advance orders": {
            "task": "marketplace.tasks.advance_orders",
            "schedule": schedule(2.0),
            "options": {"expires": 2},
        },
        "forget order news": {
            "task": "marketplace.tasks.forget_order_news",
            "schedule": schedule(3600.0),
            "options": {"expires": 3600},
        },
        "close due gates": {
            "task": "marketplace.tasks.close_due_gates",
            "schedule": schedule(5.0),
            "options": {"expires": 5},
        },
        "forget old applications": {
            "task": "marketplace.tasks.forget_old_applications",
            "schedule": schedule(600.0),
            "options": {"expires": 600},
        },
        "issue due certificates": {
            "task": "marketplace.tasks.issue_due_certificates",
            "schedule": schedule(15.0),
            "options": {"expires": 15},
        },
        "answer questions": {
            "task": "marketplace.tasks.answer_questions",
            "schedule": schedule(5.0),
            "options": {"expires": 5},
        },
        "refresh catalogue": {
            "task": "marketplace.tasks.refresh_catalogue",
            "schedule": schedule(300.0),
            "options": {"expires": 300},
        },
        "match wishes": {
            "task": "marketplace.tasks.match_wishes",
            "schedule": schedule(60.0),
            "options": {"expires": 60},
        },
        # A buyer waits for the seller's signature, then for the key.
        "advance contracts": {
            "task": "marketplace.tasks.advance_contracts",
            "schedule": schedule(2.0),
            "options": {"expires": 2},
        },
        "advance charges": {
            "task": "marketplace.tasks.advance_charges",
            "schedule": schedule(2.0),
            "options": {"expires": 2},
        },
        "advance deliveries": {
            "task": "marketplace.tasks.advance_deliveries",
            "schedule": schedule(2.0),
            "options": {"expires": 2},
        },
        # Who publishes looks at the progress meanwhile.
        "work waiting versions": {
            "task": "marketplace.tasks.work_waiting_versions",
            "schedule": schedule(3.0),
            "options": {"expires": 3, "queue": "data"},
        },
        "sweep stray uploads": {
            "task": "marketplace.tasks.sweep_stray_uploads",
            "schedule": schedule(3600.0),
            "options": {"expires": 3600},
        },
        # Sources may keep us waiting, large files too: not in the queue that markets wait for.
        "look at feeds": {
            "task": "marketplace.tasks.look_at_feeds",
            "schedule": schedule(5.0),
            "options": {"expires": 5, "queue": "data"},
        },
        "close feed months": {
            "task": "marketplace.tasks.close_feed_months",
            "schedule": schedule(30.0),
            "options": {"expires": 30},
        },
        "forget old looks": {
            "task": "marketplace.tasks.forget_old_looks",
            "schedule": schedule(3600.0),
            "options": {"expires": 3600},
        },
        "prune notices": {
            "task": "marketplace.tasks.prune_notices",
            "schedule": schedule(3600.0),
            "options": {"expires": 3600},
        },
        "compute asked comparisons": {
            "task": "marketplace.tasks.compute_asked_comparisons",
            "schedule": schedule(10.0),
            "options": {"expires": 10},
        },
        # Somebody looks at the progress, and it may be long: not in the markets' queue.
        "compute asked what-ifs": {
            "task": "marketplace.tasks.compute_asked_what_ifs",
            "schedule": schedule(3.0),
            "options": {"expires": 3, "queue": "data"},
        },
        "roll up settled intervals": {
            "task": "analytics.tasks.roll_up_settled_intervals",
            "schedule": schedule(15.0),
            "options": {"expires": 15},
        },
        "note final days": {
            "task": "analytics.tasks.note_final_days",
            "schedule": schedule(3600.0),
            "options": {"expires": 3600},
        },
        "release figures": {
            "task": "analytics.tasks.release_figures",
            "schedule": schedule(60.0),
            "options": {"expires": 60},
        },
        "revise figures": {
            "task": "analytics.tasks.revise_figures",
            "schedule": schedule(3600.0),
            "options": {"expires": 3600},
        },
        "refresh indicators": {
            "task": "analytics.tasks.refresh_indicators",
            "schedule": schedule(60.0),
            "options": {"expires": 60},
        },
        "mail notices": {
            "task": "config.notices.tasks.mail_notices",
            "schedule": schedule(60.0),
            "options": {"expires": 60},
        },
        "watch market": {
            "task": "marketplace.tasks.watch_market",
            "schedule": schedule(60.0),
            "options": {"expires": 60},
        },
        "follow forecasts": {
            "task": "config.forward.tasks.follow_forecasts",
            "schedule": schedule(60.0),
            "options": {"expires": 60},
        },
        "make due forecasts": {
            "task": "analytics.tasks.make_due_forecasts",
            "schedule": schedule(300.0),
            "options": {"expires": 300},
        },
    },
)
app.autodiscover_tasks(["marketplace", "analytics", "config.forward", "config.notices"])
