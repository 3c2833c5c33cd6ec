"""A contract in plain words: every clause made of the text that is signed, nothing beside it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from config.templatetags.figures import NO_BREAK, money
from config.web.data import catalogue_words as say
from config.web.data.words import FORMAT_LABELS, duration
from marketplace.domain.data.contract import ContractText
from marketplace.domain.data.licences import licence_of
from marketplace.domain.data.service import PROMISES
from marketplace.domain.terms_document import base64_of

STATE_LABELS: Final = {
    "proposed": gettext_lazy("Waits for the seller"),
    "agreed": gettext_lazy("Signed by both"),
    "declined": gettext_lazy("Not agreed"),
    "revoked": gettext_lazy("Revoked"),
    "ended": gettext_lazy("Ended"),
}
# The classes of tags in the style sheet.
STATE_CSS: Final = {"agreed": "good", "declined": "bad", "revoked": "bad"}
STAGE_LABELS: Final = {
    "before_key": gettext_lazy("Before the money goes into escrow, and the key to the buyer:"),
    "after_key": gettext_lazy("After that:"),
    "any_time": gettext_lazy("At any time:"),
}
CONSEQUENCE_LABELS: Final = {
    "access_ends_at_once": gettext_lazy("every credential of the feed stops working at once"),
    "copies_follow_policy": gettext_lazy(
        "copies that the buyer has stay under the rules of this contract"
    ),
    "delivery_cancelled": gettext_lazy("nothing is delivered"),
    "hold_released": gettext_lazy("the money that was held goes back to the buyer"),
    "month_charged_for_use": gettext_lazy(
        "of the running month only what was used is charged; a subscription by the second"
    ),
    "no_further_delivery": gettext_lazy("nothing more is delivered"),
    "no_further_month": gettext_lazy("no further month begins"),
    "paid_stays": gettext_lazy("what was paid stays paid, and the dispute window stays open"),
}


@dataclass(frozen=True)
class Clause:
    """One clause: what it is about, and what it says, a sentence a line."""

    label: str
    lines: tuple[str, ...]


def clauses(text: ContractText, *, seller: str, buyer: str) -> list[Clause]:
    """Say everything that a contract says.

    Parameters
    ----------
    seller, buyer : str
        What the parties are called today; empty of whom nobody can name any more.
    """
    said = [
        Clause(_("Seller"), _party(seller, text.seller.participant_id, text.seller.public_key)),
        Clause(_("Buyer"), _party(buyer, text.buyer.participant_id, text.buyer.public_key)),
        Clause(_("Data"), _data(text)),
        Clause(pgettext("contract", "Runs"), _period(text)),
        Clause(_("Allowed"), _allowed(text)),
        Clause(_("Forbidden"), _forbidden(text)),
        Clause(_("Duties of the buyer"), _duties(text)),
        Clause(_("Price"), _price(text)),
        Clause(_("Promised"), _promised(text)),
        Clause(_("Queries with noise"), _queries(text)),
        Clause(_("Delivery and money"), _delivery(text)),
        Clause(_("If the seller revokes it"), revocation(text, "seller")),
        Clause(_("If the buyer revokes it"), revocation(text, "buyer")),
    ]
    return [each for each in said if each.lines]


def revocation(text: ContractText, side: str) -> tuple[str, ...]:
    """Say what follows when a side revokes, stage by stage."""
    return tuple(
        str(STAGE_LABELS[stage])
        + " "
        + _("; ").join(str(CONSEQUENCE_LABELS[code]) for code in codes)
        + _(".")
        for stage, codes in text.consequences()[side].items()
    )


def moment(at: datetime) -> str:
    """Write a time as contracts count it: in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}{NO_BREAK}UTC"


def _party(name: str, participant_id: int, key: bytes) -> tuple[str, ...]:
    return (
        _("{name}, participant {number} of the hall.").format(
            name=name or _("a former member"), number=participant_id
        ),
        _("Signs with the key {key}.").format(key=base64_of(key)),
    )


def _data(text: ContractText) -> tuple[str, ...]:
    what = _("File") if text.kind == "file" else _("Live feed")
    pinned = (
        _("Exactly the version whose manifest has the SHA-256 {sha256}; no other counts.")
        if text.kind == "file"
        else _("Its format is that of the version whose manifest has the SHA-256 {sha256}.")
    )
    return (
        _("Product {product}, version {version}: {format}, {kind}.").format(
            product=text.product_id,
            version=text.version_number,
            format=FORMAT_LABELS.get(text.format, text.format),
            kind=what,
        ),
        pinned.format(sha256=text.manifest_sha256),
    )


def _period(text: ContractText) -> tuple[str, ...]:
    months = ngettext("{n} month", "{n} months", text.months).format(n=text.months)
    return (
        _("From {start} until {end}, {months}.").format(
            start=moment(text.valid_from), end=moment(text.valid_until), months=months
        ),
    )


def _allowed(text: ContractText) -> tuple[str, ...]:
    licence = licence_of(text.licence)
    purposes = say.listed(text.policy.purposes, say.PURPOSE_LABELS)
    return (
        _("Use for: {purposes}.").format(purposes=purposes)
        if purposes
        else _("Use for any purpose."),
        _("Licence: {title}. {words}").format(title=_(licence.title), words=_(licence.words)),
    )


def _forbidden(text: ContractText) -> tuple[str, ...]:
    named = say.listed(text.policy.prohibitions, say.PROHIBITION_LABELS)
    return (_("{named}.").format(named=named),) if named else ()


def _duties(text: ContractText) -> tuple[str, ...]:
    said = []
    if "attribute" in text.policy.duties:
        said.append(_("Name the source."))
    days = text.policy.delete_after_days
    if days is not None:
        said.append(
            ngettext(
                "Delete every copy within {n} day after the end.",
                "Delete every copy within {n} days after the end.",
                days,
            ).format(n=days)
            if days
            else _("Delete every copy by the end.")
        )
    return tuple(said)


def _price(text: ContractText) -> tuple[str, ...]:
    said = [_("{price}.").format(price=say.price_words(text.price, text.currency))]
    if not text.price.is_free and text.kind == "feed":
        most = money(text.most_micro, text.currency)
        said.append(_("Never more than {most} for a month.").format(most=most))
    said += [
        _("{percent} of it go to participant {number}.").format(
            percent=say.percent(share.ppm), number=share.participant_id
        )
        for share in text.shares
    ]
    if text.answer_id is not None:
        said.append(_("It is the price of the seller's answer to the buyer's request."))
    return tuple(said)


def _promised(text: ContractText) -> tuple[str, ...]:
    level = text.service
    if level.is_empty:
        return (_("Nothing is promised of its service."),) if text.kind == "feed" else ()
    said = [
        _("{what}: at least {percent} of a month's measurements.").format(
            what=say.PROMISE_LABELS[promise], percent=say.percent(level.promised_ppm(promise))
        )
        for promise in PROMISES
        if level.promised_ppm(promise)
    ]
    if level.max_age_s:
        said.append(_("Young enough is at most {age} old.").format(age=duration(level.max_age_s)))
    said.append(
        _(
            "Each percentage point that is missing takes {percent} off the month's price,"
            " {most} at most; the hall measures."
        ).format(
            percent=say.percent(level.credit_ppm_per_percent),
            most=say.percent(level.credit_most_ppm),
        )
    )
    return tuple(said)


def _queries(text: ContractText) -> tuple[str, ...]:
    if not text.privacy_budget_micro_epsilon:
        return ()
    epsilon = Decimal(text.privacy_budget_micro_epsilon).scaleb(-6).normalize()
    return (
        _(
            "A privacy budget of epsilon {epsilon}; when it is used up, no query is answered."
        ).format(epsilon=number_format(epsilon)),
    )


def _delivery(text: ContractText) -> tuple[str, ...]:
    times, window = text.times, duration(text.times.window_s)
    if text.kind == "feed":
        return (
            _("The most that a month may cost is held when it begins."),
            _(
                "The seller is paid {window} after a month's end unless the buyer disputes it."
            ).format(window=window),
        )
    return (
        _(
            "Counted from the second signature: the seller offers the file within {offer}, the"
            " buyer confirms its receipt within {receive}, the hall gives the key within {key};"
            " if one of them is late, the held money goes back."
        ).format(
            offer=duration(times.offer_s),
            receive=duration(times.receive_s),
            key=duration(times.key_s),
        ),
        _("The file is encrypted until the key is given, and the key waits for the money."),
        _("The seller is paid {window} after the key unless the buyer disputes it.").format(
            window=window
        ),
    )
