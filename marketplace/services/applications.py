"""Applications to join: begun, filled in, sent, withdrawn, forgotten when nobody needs them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from marketplace.domain.applications import (
    DRAFT_LASTS,
    ENERGY_ROLES,
    OPEN_ROLES,
    PROOF_MAX_BYTES,
    REFUSED_LASTS,
    ApplicationState,
    ApplicationStep,
    Details,
    TextVersion,
    missing_of,
    next_state,
    proof_kind,
)
from marketplace.domain.identity import IdentityKey
from marketplace.errors import N_, ApplicationClosed, Invalid, NotFound
from marketplace.models import Application, Community, TextConsent
from marketplace.queries.applications import (
    APPLICATIONS,
    DETAILS,
    PROOF,
    is_name_taken,
    key_of,
    list_taken_meters,
)
from marketplace.queries.identity import find_user_key, identity_keys
from marketplace.services.identity import create_identities, get_user_key


@transaction.atomic
def begin_application(*, user_id: int, email: str, language: str, now: datetime) -> int:
    """Return a person's open application; where there is none, begin one."""
    # The person's row is locked by this, so two clicks begin one application.
    tag = get_user_key(user_id=user_id).tag(APPLICATIONS)
    open_states = (ApplicationState.DRAFT, ApplicationState.SUBMITTED)
    found = Application.objects.filter(user_tag=tag, state__in=open_states).first()
    if found is not None:
        return found.id
    [(slot, key)] = create_identities(count=1)
    details = Details(user_id=user_id, email=email, language=language)
    return Application.objects.create(
        user_tag=tag,
        state=ApplicationState.DRAFT,
        identity_slot=slot,
        sealed_details=key.seal_text(details.as_text(), purpose=DETAILS),
        started_at=now,
    ).id


@transaction.atomic
def fill_in_site(
    *, user_id: int, role: str, community_id: int, name: str, zone: str, label: str
) -> None:
    """Note who wants to join which community, and where their site is.

    Raises
    ------
    Invalid
        If the role is not open to applications, or community or zone do not exist.
    """
    row, key, details = _draft(user_id)
    if role not in OPEN_ROLES:
        raise Invalid("role", N_("Nobody applies for this role: an operator lets them in."))
    community = Community.objects.filter(id=community_id).first()
    if community is None:
        raise Invalid("community", N_("There is no such community."))
    if zone and not community.zones.filter(code=zone).exists():
        raise Invalid("zone", N_("This community has no such zone."))
    if role not in ENERGY_ROLES and is_name_taken(role=role, community_id=community_id, name=name):
        raise Invalid("name", N_("Somebody has this name already; choose another one."))
    row.role, row.community = role, community
    if role not in ENERGY_ROLES:
        details = replace(details, meter="", meter_kind="", rule="")
    _store(row, key, replace(details, name=name, zone=zone, label=label))


@transaction.atomic
def fill_in_meter(*, user_id: int, meter: str, kind: str, proof: bytes | None) -> None:
    """Note the metering point, with a file that shows whose it is.

    Raises
    ------
    Invalid
        If the meter is a member's already, or the file is none of those taken in.
    """
    row, key, details = _draft(user_id)
    if row.community_id is None:
        raise Invalid("meter", N_("Choose a community first."))
    if meter in list_taken_meters(community_id=row.community_id, codes=[meter]):
        raise Invalid("meter", N_("This metering point belongs to a member already."))
    if proof is not None:
        if len(proof) > PROOF_MAX_BYTES or not proof_kind(proof):
            raise Invalid("proof", N_("Send a PDF, PNG or JPEG file of at most 2 MB."))
        row.sealed_proof = key.seal(proof, purpose=PROOF)
    _store(row, key, replace(details, meter=meter, meter_kind=kind))


@transaction.atomic
def agree_to_texts(*, user_id: int, texts: Sequence[TextVersion], now: datetime) -> None:
    """Note to which versions of which texts an applicant agrees."""
    row, _, _ = _draft(user_id)
    row.consents.all().delete()
    TextConsent.objects.bulk_create(
        TextConsent(
            application=row,
            slug=each.slug,
            version=each.version,
            language=each.language,
            sha256=each.sha256,
            agreed_on=now.date(),
        )
        for each in texts
    )


@transaction.atomic
def choose_rule(*, user_id: int, rule: str, sell_micro: int | None, buy_micro: int | None) -> None:
    """Note the rule that the metering point begins with. [micro/kWh]"""
    row, key, details = _draft(user_id)
    own = rule == "own"
    chosen = replace(
        details,
        rule=rule,
        sell_micro=sell_micro if own else None,
        buy_micro=buy_micro if own else None,
    )
    _store(row, key, chosen)


@transaction.atomic
def submit_application(*, user_id: int, texts: Sequence[TextVersion], now: datetime) -> None:
    """Send an application to the community's operator.

    Parameters
    ----------
    texts : sequence of TextVersion
        Those in force: whoever agreed to an older version has to agree again.

    Raises
    ------
    Invalid
        If something is missing; the field is the step of the form.
    """
    row, _, details = _draft(user_id)
    in_force = {(each.slug, each.version) for each in texts}
    agreed = list(row.consents.order_by("slug", "version"))
    is_agreed = in_force <= {(each.slug, each.version) for each in agreed}
    missing = missing_of(
        details,
        role=row.role,
        has_community=row.community_id is not None,
        texts=len(agreed) if is_agreed else 0,
    )
    if missing:
        raise Invalid(missing, N_("This part is not filled in yet."))
    _step(row, ApplicationStep.SUBMIT)
    row.submitted_at, row.decided_at, row.refusal, row.sealed_reason = now, None, "", None
    row.save()


@transaction.atomic
def withdraw_application(*, user_id: int, now: datetime) -> None:
    """Take an application back; a scan destroys what was said in it."""
    row = _latest(user_id)
    _step(row, ApplicationStep.WITHDRAW)
    row.decided_at = now
    row.save()


@transaction.atomic
def revise_application(*, user_id: int) -> None:
    """Open an application that was refused, so that it can be mended and sent again."""
    row = _latest(user_id)
    _step(row, ApplicationStep.REVISE)
    row.save()


def forget_applications(*, now: datetime) -> int:
    """Destroy what nobody needs any more: withdrawn applications, old drafts, old refusals.

    Safe to repeat, and to be killed: a key is destroyed before its row is gone.
    """
    old = Q(state=ApplicationState.DRAFT, started_at__lte=now - DRAFT_LASTS) | Q(
        state=ApplicationState.REFUSED, decided_at__lte=now - REFUSED_LASTS
    )
    withdrawn = Q(state=ApplicationState.WITHDRAWN)
    with transaction.atomic():
        rows = list(Application.objects.select_for_update(skip_locked=True).filter(old | withdrawn))
        identity_keys().destroy(row.identity_slot for row in rows)
        Application.objects.filter(id__in=[row.id for row in rows]).delete()
    return len(rows)


def erase_applications(*, user_tag: bytes) -> list[int]:
    """Delete what a person ever applied for; return the slots whose keys are to be destroyed."""
    rows = Application.objects.filter(user_tag=user_tag)
    slots = list(rows.values_list("identity_slot", flat=True))
    rows.delete()
    return slots


def _latest(user_id: int) -> Application:
    key = find_user_key(user_id=user_id)
    if key is not None:
        rows = Application.objects.select_for_update(no_key=True, of=("self",))
        found = rows.filter(user_tag=key.tag(APPLICATIONS)).order_by("-id").first()
        if found is not None:
            return found
    raise NotFound(N_("You have not applied yet."))


def _draft(user_id: int) -> tuple[Application, IdentityKey, Details]:
    row = _latest(user_id)
    key = key_of(row)
    if row.state != ApplicationState.DRAFT or key is None:
        raise ApplicationClosed(N_("This application was sent: withdraw it to change something."))
    return row, key, Details.of_text(key.unseal_text(bytes(row.sealed_details), purpose=DETAILS))


def _store(row: Application, key: IdentityKey, details: Details) -> None:
    row.sealed_details = key.seal_text(details.as_text(), purpose=DETAILS)
    row.save()


def _step(row: Application, step: ApplicationStep) -> None:
    following = next_state(row.state, step)
    if following is None:
        raise ApplicationClosed(N_("This application is not open to that any more."))
    row.state = following
