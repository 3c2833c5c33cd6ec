"""Products of the data market: made, changed, listed, withdrawn by their provider."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from gate.errors import Refused
from gate.policy import FLOOR
from gate.policy import Policy as GatePolicy
from ledger.queries import get_units
from marketplace.domain.data.product import (
    ABOUT_PEOPLE,
    ProductTerms,
    Reading,
    check_format,
    checked_source_url,
)
from marketplace.domain.data.traders import check_may_sell, check_may_share
from marketplace.errors import N_, Invalid, NotFound, ProductClosed, WalletMissing
from marketplace.models import DataProduct, DataUpload, DataVersion, Participant
from marketplace.services.data import catalogue
from marketplace.services.data.quotas import check_product_count

State = DataProduct.State
ABANDONED: Final = {"code": "abandoned", "text": "", "place": "", "remedy": ""}


@transaction.atomic
def create_product(
    *,
    provider_id: int,
    is_feed: bool,
    format_: str,
    terms: Mapping[str, Any],
    source_url: str = "",
    now: datetime,
) -> int:
    """Make a product that nobody sees yet; return its id.

    Parameters
    ----------
    format_ : str
        As `gate.recognise` names it.
    terms : mapping
        See `ProductTerms`.
    source_url : str
        Where the hall fetches a feed.

    Raises
    ------
    Invalid
        Naming the first field that cannot be accepted.
    RoleNotAllowed, WalletMissing
        If the provider may not sell data, or cannot be paid.
    """
    provider = Participant.objects.select_for_update(no_key=True).filter(id=provider_id).first()
    if provider is None:
        raise NotFound(N_("There is no such participant."))
    check_may_sell(provider.role)
    check_format(format_, is_feed=is_feed)
    check_product_count(provider_id=provider_id, is_feed=is_feed)
    checked = _checked(terms, is_feed=is_feed, seller_id=provider_id)
    product = DataProduct.objects.create(
        provider=provider,
        kind=DataProduct.Kind.FEED if is_feed else DataProduct.Kind.FILE,
        format=format_,
        currency=_currency_of(provider),
        source_url=checked_source_url(source_url, is_feed=is_feed),
        privacy_policy=_first_policy(checked.reading) if format_ in ABOUT_PEOPLE else {},
        created_at=now,
        **checked.columns(),
    )
    return product.id


@transaction.atomic
def change_terms(
    *,
    product_id: int,
    participant_ids: Collection[int],
    terms: Mapping[str, Any],
    now: datetime,
) -> None:
    """Replace a product's words and terms; contracts that were signed keep theirs.

    Raises
    ------
    NotFound, ProductClosed
        If it is no product of these participants, or was withdrawn.
    Invalid
        Naming the first field that cannot be accepted.
    """
    product = lock_own_product(product_id=product_id, participant_ids=participant_ids)
    is_feed = product.kind == DataProduct.Kind.FEED
    checked = _checked(terms, is_feed=is_feed, seller_id=product.provider_id)
    DataProduct.objects.filter(id=product_id).update(**checked.columns())
    catalogue.refresh(product_id=product_id, now=now)


@transaction.atomic
def change_privacy_policy(
    *, product_id: int, participant_ids: Collection[int], policy: Mapping[str, Any]
) -> None:
    """Tell the gate what to do with this product's trips, before anything was published.

    One source has one hierarchy of levels: two releases under two policies could be subtracted
    from each other. So the policy of the first version is that of all.

    Raises
    ------
    Invalid, NotFound, ProductClosed
        If the policy cannot be accepted or is fixed by now.
    """
    product = lock_own_product(product_id=product_id, participant_ids=participant_ids)
    if product.format not in ABOUT_PEOPLE:
        raise Invalid("privacy_policy", N_("Nothing in this format goes through the gate."))
    if product.versions.filter(state=DataVersion.State.READY).exists():
        raise ProductClosed(
            N_("A version was published under this policy: make a new product for another one.")
        )
    try:
        checked = GatePolicy.from_json(policy)
        checked.refuse_below(FLOOR)
    except Refused as refused:
        raise Invalid(
            "privacy_policy", N_("The gate cannot follow this policy: {why}"), why=str(refused)
        ) from refused
    DataProduct.objects.filter(id=product_id).update(privacy_policy=checked.as_json())


@transaction.atomic
def list_product(*, product_id: int, participant_ids: Collection[int], now: datetime) -> None:
    """Put a product into the catalogue; twice is once.

    Raises
    ------
    NotFound, ProductClosed
        If it is no product of these participants, was withdrawn, or has no ready version.
    """
    product = lock_own_product(product_id=product_id, participant_ids=participant_ids)
    if not product.versions.filter(state=DataVersion.State.READY).exists():
        raise ProductClosed(N_("It can be listed once a version of it is ready."))
    drafts = DataProduct.objects.filter(id=product_id, state=State.DRAFT)
    if drafts.update(state=State.LISTED, listed_at=now):
        catalogue.refresh(product_id=product_id, now=now)


@transaction.atomic
def withdraw_product(*, product_id: int, participant_ids: Collection[int], now: datetime) -> None:
    """Take a product out of the catalogue for good; contracts that were signed go on.

    Raises
    ------
    NotFound, ProductClosed
        If it is no product of these participants, or was withdrawn before.
    """
    lock_own_product(product_id=product_id, participant_ids=participant_ids)
    DataProduct.objects.filter(id=product_id).update(state=State.WITHDRAWN, withdrawn_at=now)
    catalogue.refresh(product_id=product_id, now=now)


@transaction.atomic
def withdraw_all_products(*, participant_id: int, now: datetime) -> None:
    """Withdraw everything of a participant who leaves; what they had sent in is destroyed."""
    own = DataProduct.objects.filter(provider=participant_id).exclude(state=State.WITHDRAWN)
    for product_id in own.order_by("id").values_list("id", flat=True):
        withdraw_product(product_id=product_id, participant_ids=[participant_id], now=now)
    working = DataVersion.objects.filter(
        product__provider=participant_id, state=DataVersion.State.WORKING
    )
    ids = list(working.select_for_update(no_key=True).values_list("id", flat=True))
    DataUpload.objects.filter(version__in=ids).update(sealed_key=None, is_complete=True)
    working.filter(id__in=ids).update(
        state=DataVersion.State.REFUSED, refusal=ABANDONED, progress={}
    )


def lock_own_product(*, product_id: int, participant_ids: Collection[int]) -> DataProduct:
    """Return a product that is not withdrawn, its row locked. Runs in a transaction.

    Raises
    ------
    NotFound, ProductClosed
        If it is no product of these participants, or was withdrawn.
    """
    own = DataProduct.objects.filter(id=product_id, provider__in=participant_ids)
    product = own.select_for_update(no_key=True).first()
    if product is None:
        raise NotFound(N_("There is no such product of yours."))
    if product.state == State.WITHDRAWN:
        raise ProductClosed(N_("This product was withdrawn."))
    return product


def _checked(terms: Mapping[str, Any], *, is_feed: bool, seller_id: int) -> ProductTerms:
    checked = ProductTerms.checked(terms, is_feed=is_feed, seller_id=seller_id)
    named = [each["participant"] for each in checked.shares]
    known = {each.id: each for each in Participant.objects.filter(id__in=named)}
    for participant_id in named:
        sharer = known.get(participant_id)
        if sharer is None or sharer.wallet_account_id is None:
            raise Invalid(
                "shares",
                N_("Participant {number} is not known, or has no wallet."),
                number=participant_id,
            )
        check_may_share(sharer.role)
    return checked


def _first_policy(reading: Reading) -> dict[str, Any]:
    return GatePolicy(columns=reading.columns, zone=reading.zone).as_json()


def _currency_of(provider: Participant) -> str:
    account_id = provider.wallet_account_id
    if account_id is None:
        raise WalletMissing(N_("This participant has no wallet; open one first."))
    return get_units(account_ids=[account_id])[account_id].partition("/")[0]
