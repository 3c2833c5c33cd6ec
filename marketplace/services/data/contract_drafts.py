"""What a contract would say: made of the product's terms and of what the buyer may choose."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from django.db import transaction

from ledger.queries import get_units
from marketplace.domain.data.contract import MONTHS_MAX, TIMES, ContractText, Kind, Party
from marketplace.domain.data.policy import Policy
from marketplace.domain.data.prices import PriceForm, PriceRule
from marketplace.domain.data.service import ServiceLevel
from marketplace.domain.data.shares import checked_shares
from marketplace.domain.data.traders import (
    check_may_buy,
    check_may_sell,
    check_may_share,
    check_two,
)
from marketplace.errors import (
    N_,
    AlreadyErased,
    Invalid,
    NotFound,
    ProductClosed,
    WalletCurrencyDiffers,
    WalletMissing,
)
from marketplace.models import (
    DataContract,
    DataProduct,
    DataVersion,
    DataWishAnswer,
    Participant,
)
from marketplace.queries.data.contracts import SIGNED
from marketplace.queries.identity import is_erased
from marketplace.services.places import money_unit
from marketplace.services.signed_terms import get_signing_key

KINDS: Final[dict[int, Kind]] = {DataProduct.Kind.FILE: "file", DataProduct.Kind.FEED: "feed"}


@dataclass(frozen=True)
class Choice:
    """What a buyer chooses of a product; all else are the product's terms.

    Attributes
    ----------
    months : int
        How long the contract runs. [civil months]
    cap_micro : int or None
        Of a metered feed, a lower cap than the product's; None: the product's. [micro]
    privacy_budget_micro_epsilon : int
        For queries with noise; at most the product's. [micro-epsilon]
    version_number : int or None
        None: the newest.
    answer_id : int or None
        The seller's answer to a request of the buyer's: its price counts.
    """

    months: int = 12
    cap_micro: int | None = None
    privacy_budget_micro_epsilon: int = 0
    version_number: int | None = None
    answer_id: int | None = None


@transaction.atomic
def draft_contract(
    *, product_id: int, buyer_id: int, choice: Choice, now: datetime
) -> ContractText:
    """Return the text that both sides are to sign; nothing of it is stored.

    Raises
    ------
    NotFound
        If there is no such product, or no such answer to the buyer.
    ProductClosed
        If the product is not listed, or has no such version.
    RoleNotAllowed
        If either side may not trade data, or the operator would have a share.
    Invalid
        If a choice lies outside of what the product allows.
    WalletMissing, WalletCurrencyDiffers
        If money is to move and somebody has no wallet in its currency.
    AlreadyErased
        If a side was erased.
    """
    product = DataProduct.objects.filter(id=product_id).first()
    if product is None or product.state == DataProduct.State.DRAFT:
        raise NotFound(N_("There is no such product."))
    seller, buyer = _locked_sides(product.provider_id, buyer_id)
    text = _text(product, seller, buyer, choice, now)
    _check_wallets(text)
    return text


def choice_of(text: ContractText) -> Choice:
    """Return what a buyer chose to have a text drafted as it is."""
    return Choice(
        months=text.months,
        cap_micro=text.price.cap_micro or None,
        privacy_budget_micro_epsilon=text.privacy_budget_micro_epsilon,
        version_number=text.version_number,
        answer_id=text.answer_id,
    )


def _text(
    product: DataProduct, seller: Participant, buyer: Participant, choice: Choice, now: datetime
) -> ContractText:
    check_may_sell(seller.role)
    check_may_buy(buyer.role)
    version = _version(product, choice.version_number)
    kind = KINDS[product.kind]
    if not 1 <= choice.months <= MONTHS_MAX:
        raise Invalid("months", N_("Choose 1 to {most} months."), most=MONTHS_MAX)
    if not 0 <= choice.privacy_budget_micro_epsilon <= product.query_budget_micro_epsilon:
        raise Invalid(
            "privacy_budget_micro_epsilon",
            N_("This product answers queries up to {most} micro-epsilon."),
            most=product.query_budget_micro_epsilon,
        )
    shares = checked_shares(product.shares, seller_id=seller.id)
    roles = Participant.objects.filter(id__in=[share.participant_id for share in shares])
    for role in roles.values_list("role", flat=True):
        check_may_share(role)
    return ContractText(
        seller=_party(seller.id, now),
        buyer=_party(buyer.id, now),
        product_id=product.id,
        kind=kind,
        format=product.format,
        version_number=version.number,
        manifest_sha256=version.manifest_sha256,
        licence=product.licence,
        currency=product.currency,
        price=_price(product, buyer.id, choice, now),
        shares=shares,
        service=ServiceLevel.of_json(product.service_level),
        privacy_budget_micro_epsilon=choice.privacy_budget_micro_epsilon,
        times=TIMES[kind],
        policy=Policy.of_json(product.policy),
        months=choice.months,
        valid_from=now.replace(microsecond=0),
        issued_at=now,
        answer_id=choice.answer_id,
    )


def _locked_sides(seller_id: int, buyer_id: int) -> tuple[Participant, Participant]:
    """Return both sides; their rows, in order of id, are the locks of their keys."""
    check_two(seller_id, buyer_id)
    sides = Participant.objects.select_for_update(no_key=True).filter(id__in=(seller_id, buyer_id))
    found = {each.id: each for each in sides.order_by("id")}
    if len(found) != 2:
        raise NotFound(N_("There is no such participant."))
    if any(is_erased(participant_id=id_) for id_ in found):
        raise AlreadyErased(N_("This member was erased."))
    return found[seller_id], found[buyer_id]


def _version(product: DataProduct, number: int | None) -> DataVersion:
    ready = product.versions.filter(state=DataVersion.State.READY)
    if number is not None:
        ready = ready.filter(number=number)
    version = ready.order_by("-number").first()
    if product.state != DataProduct.State.LISTED or version is None:
        raise ProductClosed(N_("This product is not on offer, or has no such version."))
    return version


def _price(product: DataProduct, buyer_id: int, choice: Choice, now: datetime) -> PriceRule:
    """Return the product's price as the buyer may have it."""
    rule = _free_once(PriceRule.of(product.price), product, buyer_id, now)
    if choice.answer_id is not None:
        rule = _answered(rule, product, buyer_id, choice.answer_id)
    if choice.cap_micro is None or choice.cap_micro == rule.cap_micro:
        return rule
    if not rule.is_metered or not 0 < choice.cap_micro < rule.cap_micro:
        raise Invalid(
            "cap_micro", N_("A cap is of a metered feed, and not above that of the product.")
        )
    return replace(rule, cap_micro=choice.cap_micro)


def _free_once(rule: PriceRule, product: DataProduct, buyer_id: int, now: datetime) -> PriceRule:
    """Return the rule without what the buyer has, or had, for nothing by another contract.

    Else a contract that is signed anew each month would be one long trial, and many at once would
    have the free units many times.
    """
    signed = DataContract.objects.filter(product=product, buyer=buyer_id, state__in=SIGNED)
    if not signed.exists():
        return rule
    runs = signed.filter(state=DataContract.State.AGREED, valid_until__gt=now).exists()
    free_units = 0 if runs else rule.free_units
    return replace(rule, trial_days=0, trial_units=0, free_units=free_units)


def _answered(rule: PriceRule, product: DataProduct, buyer_id: int, answer_id: int) -> PriceRule:
    """Return the rule with the price of the seller's answer to the buyer's request."""
    answers = DataWishAnswer.objects.filter(
        id=answer_id, product=product, wish__buyer=buyer_id, state=DataWishAnswer.State.OPEN
    )
    price_micro = answers.values_list("price_micro", flat=True).first()
    if price_micro is None:
        raise NotFound(N_("There is no such answer to a request of yours."))
    if price_micro == 0:
        return PriceRule(PriceForm.FREE)
    if rule.is_free:
        is_file = product.kind == DataProduct.Kind.FILE
        form = PriceForm.ONE_OFF if is_file else PriceForm.SUBSCRIPTION
        return PriceRule(form, price_micro=price_micro)
    return replace(rule, price_micro=price_micro)


def _check_wallets(text: ContractText) -> None:
    """Refuse a price that nobody could pay or be paid."""
    if text.price.is_free:
        return
    named = [text.buyer.participant_id, text.seller.participant_id]
    named += [share.participant_id for share in text.shares]
    wallets = dict(Participant.objects.filter(id__in=named).values_list("id", "wallet_account_id"))
    accounts = [wallets.get(each) for each in named]
    if None in accounts:
        if accounts[0] is None:
            raise WalletMissing(N_("This participant has no wallet; open one first."))
        raise WalletMissing(N_("Somebody who would be paid has no wallet yet: tell the seller."))
    units = get_units(account_ids=[each for each in accounts if each is not None])
    if set(units.values()) != {money_unit(text.currency)}:
        raise WalletCurrencyDiffers(N_("This wallet was opened in another currency."))


def _party(participant_id: int, now: datetime) -> Party:
    key = get_signing_key(participant_id=participant_id, now=now)
    return Party(participant_id, bytes(key.public_key))
