"""Standing rules: what makes a metering point's orders, in signed versions, never edited."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Greatest

from marketplace.domain.terms_document import Revocation, TermsDocument
from marketplace.errors import N_, Invalid, NotFound
from marketplace.models import (
    MeteringPoint,
    Offer,
    Request,
    RuleSet,
    SignedTerms,
    SigningKey,
)
from marketplace.queries.signed_terms import get_key_in_use
from marketplace.services.signed_terms import get_signing_key, sign_in_custody, store_signed


def draft_standing_terms(
    *,
    metering_point_id: int,
    sell_at_or_above_micro_per_kwh: int | None,
    buy_at_or_below_micro_per_kwh: int | None,
    is_paused: bool,
    valid_until: datetime | None,
    now: datetime,
) -> TermsDocument:
    """Return the text that a member with a key of their own is to sign; nothing is stored.

    Raises
    ------
    Invalid
        If a limit is outside the rule set's price bounds or the end is not in the future.
    NotFound
        If the member has no key yet: then the hall signs.
    """
    point = MeteringPoint.objects.select_related("site", "community").get(id=metering_point_id)
    key = get_key_in_use(participant_id=point.site.participant_id)
    if key is None:
        raise NotFound(N_("There is no key to sign with yet."))
    return _document(
        point,
        public_key=key.public_key,
        sell=sell_at_or_above_micro_per_kwh,
        buy=buy_at_or_below_micro_per_kwh,
        is_paused=is_paused,
        valid_until=valid_until,
        now=now,
    )


@transaction.atomic
def set_standing_rule(
    *,
    metering_point_id: int,
    sell_at_or_above_micro_per_kwh: int | None,
    buy_at_or_below_micro_per_kwh: int | None,
    is_paused: bool,
    valid_until: datetime | None,
    now: datetime,
) -> TermsDocument:
    """Replace a metering point's standing rule from now on, signed by the key the hall holds.

    An interval follows the rule that is in force when it starts; the old version stays as history.

    Raises
    ------
    Invalid
        If a limit is outside the rule set's price bounds or the end is not in the future.
    SignatureNeeded
        If the member signs with a key of their own.
    """
    point = _locked_point(metering_point_id)
    key = get_signing_key(participant_id=point.site.participant_id, now=now)
    document = _document(
        point,
        public_key=bytes(key.public_key),
        sell=sell_at_or_above_micro_per_kwh,
        buy=buy_at_or_below_micro_per_kwh,
        is_paused=is_paused,
        valid_until=valid_until,
        now=now,
    )
    signature = sign_in_custody(key=key, body=document.body())
    return _put_in_force(document, signature, key, now)


@transaction.atomic
def accept_standing_terms(
    *, metering_point_id: int, body: bytes, signature: bytes, now: datetime
) -> TermsDocument:
    """Replace a standing rule by terms that the member signed with their own key.

    Raises
    ------
    Invalid
        If the text is not what the hall would write now for these limits (another version came
        first, other rules are in force, it is too old), or the signature is not the key's.
    """
    document = TermsDocument.read(body)
    point = _locked_point(metering_point_id)
    key = get_signing_key(participant_id=point.site.participant_id, now=now)
    expected = _document(
        point,
        public_key=bytes(key.public_key),
        sell=document.sell_at_or_above_micro_per_kwh,
        buy=document.buy_at_or_below_micro_per_kwh,
        is_paused=document.is_paused,
        valid_until=document.valid_until,
        now=now,
    )
    if replace(expected, issued_at=document.issued_at) != document:
        raise Invalid("body", N_("Something changed since this text was written: start again."))
    return _put_in_force(document, signature, key, now)


@transaction.atomic
def draft_revocation(*, metering_point_id: int, now: datetime) -> Revocation:
    """Return the text whose signature ends the rule in force; nothing is stored.

    Raises
    ------
    NotFound
        If no signed rule is in force.
    """
    point = _locked_point(metering_point_id)
    key = get_signing_key(participant_id=point.site.participant_id, now=now)
    return _revocation(point, _terms_in_force(point, now), key, now)


@transaction.atomic
def revoke_standing_rule(
    *,
    metering_point_id: int,
    now: datetime,
    body: bytes | None = None,
    signature: bytes | None = None,
) -> SignedTerms:
    """End the signed rule in force: from now on the metering point meets the grid alone.

    Parameters
    ----------
    body, signature : bytes, optional
        The revocation as a member signed it with their own key; without, the hall signs.

    Raises
    ------
    NotFound
        If no signed rule is in force.
    SignatureNeeded
        If nothing is given and the member signs with a key of their own.
    Invalid
        If the text is not the revocation of the rule in force, or the signature is not the key's.
    """
    point = _locked_point(metering_point_id)
    key = get_signing_key(participant_id=point.site.participant_id, now=now)
    revoked = _terms_in_force(point, now)
    revocation = _revocation(point, revoked, key, now)
    if body is None or signature is None:
        signature = sign_in_custody(key=key, body=revocation.body())
    else:
        given = Revocation.read(body)
        if replace(revocation, issued_at=given.issued_at) != given:
            raise Invalid("body", N_("Something changed since this text was written: start again."))
        revocation = given
    signed = store_signed(
        document=revocation, signature=signature, key=key, revokes=revoked, now=now
    )
    _end_rule(point, now)
    return signed


def _document(
    point: MeteringPoint,
    *,
    public_key: bytes,
    sell: int | None,
    buy: int | None,
    is_paused: bool,
    valid_until: datetime | None,
    now: datetime,
) -> TermsDocument:
    """Return the next version of a rule as it would be signed now."""
    if valid_until is not None and valid_until <= now:
        raise Invalid("valid_until", N_("the end of a standing rule must lie in the future"))
    rule_set = _rules_in_force(point.community_id, now)
    limits = {"sell_at_or_above_micro_per_kwh": sell, "buy_at_or_below_micro_per_kwh": buy}
    _check_bounds(limits, rule_set)
    last = Offer.objects.filter(metering_point=point).order_by("-version").first()
    return TermsDocument(
        community_id=point.community_id,
        currency=point.community.currency,
        metering_point_id=point.id,
        participant_id=point.site.participant_id,
        version=last.version + 1 if last else 1,
        sell_at_or_above_micro_per_kwh=sell,
        buy_at_or_below_micro_per_kwh=buy,
        is_paused=is_paused,
        valid_until=valid_until,
        rules_sha256=rule_set.sha256 if rule_set else None,
        issued_at=now,
        public_key=public_key,
    )


def _put_in_force(
    document: TermsDocument, signature: bytes, key: SigningKey, now: datetime
) -> TermsDocument:
    signed = store_signed(document=document, signature=signature, key=key, revokes=None, now=now)
    point = MeteringPoint(id=document.metering_point_id)
    _end_rule(point, now)
    sides: tuple[tuple[type[Offer | Request], int | None], ...] = (
        (Offer, document.sell_at_or_above_micro_per_kwh),
        (Request, document.buy_at_or_below_micro_per_kwh),
    )
    for listing, limit in sides:
        listing._default_manager.create(
            participant_id=document.participant_id,
            metering_point_id=document.metering_point_id,
            version=document.version,
            limit_price_micro=limit,
            is_paused=document.is_paused,
            valid_from=now,
            valid_until=document.valid_until,
            signed_terms=signed,
            created_at=now,
        )
    return document


def _end_rule(point: MeteringPoint, now: datetime) -> None:
    """End the versions that are in force or would come to be; one not yet begun never begins."""
    for listings in (Offer.objects, Request.objects):
        listings.filter(
            Q(valid_until__isnull=True) | Q(valid_until__gt=now),
            metering_point=point,
        ).update(valid_until=Greatest(F("valid_from"), now))


def _revocation(
    point: MeteringPoint, revoked: SignedTerms, key: SigningKey, now: datetime
) -> Revocation:
    return Revocation(
        metering_point_id=point.id,
        participant_id=point.site.participant_id,
        revokes_sha256=revoked.sha256,
        issued_at=now,
        public_key=bytes(key.public_key),
    )


def _terms_in_force(point: MeteringPoint, now: datetime) -> SignedTerms:
    offer = (
        Offer.objects.filter(
            Q(valid_until__isnull=True) | Q(valid_until__gt=now),
            metering_point=point,
            valid_from__lte=now,
        )
        .select_related("signed_terms")
        .order_by("-version")
        .first()
    )
    if offer is None or offer.signed_terms is None:
        raise NotFound(N_("No signed rule is in force."))
    return offer.signed_terms


def _locked_point(metering_point_id: int) -> MeteringPoint:
    """Return the metering point, whose row is the lock: two new versions at once take turns."""
    return (
        MeteringPoint.objects.select_for_update(no_key=True, of=("self",))
        .select_related("site", "community")
        .get(id=metering_point_id)
    )


def _rules_in_force(community_id: int, now: datetime) -> RuleSet | None:
    begun = RuleSet.objects.filter(community=community_id).order_by("-effective_from")
    return begun.filter(effective_from__lte=now).first() or begun.last()


def _check_bounds(limits: Mapping[str, int | None], rule_set: RuleSet | None) -> None:
    """Hold limits against the price bounds of the rules in force."""
    if rule_set is None:
        return  # a community without rules clears nothing
    low = rule_set.document["price_min_micro_per_kwh"]
    high = rule_set.document["price_max_micro_per_kwh"]
    for field, limit in limits.items():
        if limit is not None and not low <= limit <= high:
            raise Invalid(
                field,
                N_("a limit price must lie between {low} and {high} micro/kWh, by the rule set"),
                low=low,
                high=high,
            )
