"""What each scheduled task does, in words; its name in the program stands beside them."""

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

TASK_WORDS: Final[Mapping[str, str | Promise]] = {
    "advance_charges": _("Book charges for data"),
    "advance_contracts": _("Move data contracts on"),
    "advance_deliveries": _("Hand over keys of deliveries"),
    "advance_due_intervals": _("Clear and settle intervals"),
    "advance_orders": _("Answer orders"),
    "answer_questions": _("Answer questions with noise"),
    "close_due_gates": _("Close gates"),
    "close_feed_months": _("Close months of live feeds"),
    "compute_asked_comparisons": _("Compare pricings"),
    "compute_asked_what_ifs": _("Compute what-ifs"),
    "follow_forecasts": _("Place orders by forecast"),
    "forget_old_applications": _("Forget old applications"),
    "forget_old_looks": _("Forget old looks at feeds"),
    "forget_order_news": _("Forget old news of orders"),
    "issue_due_certificates": _("Issue certificates"),
    "look_at_feeds": _("Look at live feeds"),
    "mail_notices": _("Mail notices"),
    "make_due_forecasts": _("Make forecasts"),
    "match_wishes": _("Match requests for data"),
    "note_final_days": _("Note days that are final"),
    "note_sealed_intervals": _("Note what the ledger answered"),
    "prune_notices": _("Forget old notices and looks"),
    "refresh_catalogue": _("Refresh the catalogue"),
    "refresh_indicators": _("Refresh the city's figures"),
    "release_figures": _("Release figures"),
    "revise_figures": _("Revise released figures"),
    "roll_up_settled_intervals": _("Add up settled intervals"),
    "sweep_stray_uploads": _("Destroy stray uploads"),
    "watch_market": _("Watch the market"),
    "work_waiting_versions": _("Make versions of data"),
}


def task_words(name: str) -> str:
    """Return what a task does; of one that has no words, its name in the program."""
    short = name.rpartition(".")[2]
    return str(TASK_WORDS.get(short, short.replace("_", " ")))
