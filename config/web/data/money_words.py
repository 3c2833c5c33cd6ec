"""Words of the money of the data market: charges, invoices, disputes, prices."""

from collections.abc import Mapping
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.templatetags.figures import money_exact
from marketplace.domain.data.disputes import BY_MACHINE, CONCEDED, KEY_LOST, EvidenceKind, Reason

CHARGE_STATES: Final[Mapping[str, str | Promise]] = {
    "opening": gettext_lazy("The money is being held"),
    "held": gettext_lazy("Money held"),
    "refused": gettext_lazy("The wallet did not cover it"),
    "delivering": gettext_lazy("On its way into escrow"),
    "in_window": gettext_lazy("In escrow until the dispute window ends"),
    "disputed": gettext_lazy("Frozen by a dispute"),
    "closing": gettext_lazy("Being paid out"),
    "paid": gettext_lazy("Paid"),
    "refunded": gettext_lazy("Given back"),
    "split": gettext_lazy("Paid in part, the rest given back"),
    "releasing": gettext_lazy("Being released"),
    "released": gettext_lazy("Released to the buyer"),
}
REFUSALS: Final[Mapping[str, str | Promise]] = {
    "limit_exceeded": gettext_lazy("There was not enough in the wallet."),
    "hold_expired": gettext_lazy("The time to deliver was over, so the money went back."),
}
REASONS: Final[Mapping[str, str | Promise]] = {
    Reason.BAD_CHUNK: gettext_lazy("A chunk does not decrypt to what was signed"),
    Reason.NOT_DELIVERED: gettext_lazy("It was not delivered"),
    Reason.WRONG_CONTENT: gettext_lazy("The content is not what was promised"),
    Reason.STALE_FEED: gettext_lazy("The feed was too old"),
    Reason.BROKEN_FEED: gettext_lazy("The feed was broken"),
    Reason.OTHER: gettext_lazy("Something else"),
}
DISPUTE_STATES: Final[Mapping[str, str | Promise]] = {
    "open": gettext_lazy("Open: the money is frozen"),
    "decided": gettext_lazy("Decided"),
    "taken back": gettext_lazy("Taken back by the buyer"),
}
EVIDENCE: Final[Mapping[str, str | Promise]] = {
    EvidenceKind.PROBES: gettext_lazy("What the hall measured in the period"),
    EvidenceKind.USE: gettext_lazy("What the buyer took"),
    EvidenceKind.DELIVERY: gettext_lazy("The log of the delivery"),
    EvidenceKind.VERSION: gettext_lazy("The version of the contract"),
    EvidenceKind.CHUNK: gettext_lazy("Evidence about a chunk, judged by the machine"),
}
FIGURES: Final[Mapping[str, str | Promise]] = {
    "looks": gettext_lazy("looks of the hall"),
    "up": gettext_lazy("answered"),
    "valid": gettext_lazy("answers without an error"),
    "fresh": gettext_lazy("answers young enough"),
    "max_age_s": gettext_lazy("promised age, in seconds"),
    "requests": gettext_lazy("requests"),
    "records": gettext_lazy("records"),
    "offered": gettext_lazy("offered by the provider"),
    "received": gettext_lazy("received by the buyer"),
    "key": gettext_lazy("key given"),
    "number": gettext_lazy("version"),
    "rows": gettext_lazy("rows"),
    "bytes": gettext_lazy("bytes"),
    "findings": gettext_lazy("findings of the validator"),
    "verdict": gettext_lazy("verdict"),
}
PROMISES: Final[Mapping[str, str | Promise]] = {
    "availability": gettext_lazy("Availability"),
    "freshness": gettext_lazy("Freshness"),
    "validity": gettext_lazy("Validity"),
    "completeness": gettext_lazy("Completeness"),
}
MACHINE_VERDICTS: Final[Mapping[str, str | Promise]] = {
    CONCEDED: gettext_lazy("The provider gave everything back of their own accord."),
    KEY_LOST: gettext_lazy("The hall could not give the key out; everything goes back."),
    "undecryptable": gettext_lazy("The chunk does not decrypt under the provider's key."),
    "other_content": gettext_lazy("The chunk decrypts to something else than was signed."),
}
LINES: Final[Mapping[str, str | Promise]] = {
    "one_off": gettext_lazy("Data, paid once"),
    "subscription": gettext_lazy("Live feed, by the month"),
    "per_record": gettext_lazy("Live feed, by records"),
    "per_request": gettext_lazy("Live feed, by requests"),
    "service_credit": gettext_lazy("Credit for missed service levels"),
    "refund": gettext_lazy("Refund by the verdict of a dispute"),
}
KINDS: Final[Mapping[str, str | Promise]] = {
    "invoice": gettext_lazy("Invoice"),
    "credit_note": gettext_lazy("Credit note"),
}


def verdict_words(verdict: str) -> str:
    """Return a verdict's reasons; the machine's are a code."""
    if not verdict.startswith(BY_MACHINE):
        return verdict
    return str(MACHINE_VERDICTS.get(verdict.removeprefix(BY_MACHINE), verdict))


def exact(micro: int) -> str:
    """Write an amount to the micro-unit; what is asked for bears no sign."""
    return money_exact(micro).removeprefix("+")


def line_detail(line: Mapping[str, Any], currency: str) -> str:
    """Return what stands below a line of an invoice."""
    parts = []
    if "title" in line:
        parts.append(str(line["title"]))
    if "version" in line:
        parts.append(_("version {number}").format(number=line["version"]))
    if "start" in line:
        parts.append(f"{line['start'][:10]} \N{EN DASH} {line['end'][:10]}")
    if "units" in line:
        parts.append(
            _("{units} at {price} per 1,000").format(
                units=f"{line['units']:,}", price=f"{exact(line['price_micro'])} {currency}"
            )
        )
    if line.get("reason"):
        parts.append(str(REASONS.get(line["reason"], line["reason"])))
    return " · ".join(parts)
