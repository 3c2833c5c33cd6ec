"""Errors of the marketplace, one tree.

MarketplaceError
├── Invalid                a value that cannot be accepted; names the field (HTTP 400)
├── NotFound               no such thing, or it is not yours (HTTP 404)
├── NameTaken              a name that must be unique is in use
├── CommunityDiffers       a community of this name exists under other rules
├── SettlementRefused      the ledger refused an interval's money: a defect to look into
├── RoleNotAllowed         the participant's role does not do this (HTTP 403)
├── WalletMissing          the participant has no wallet yet
├── WalletCurrencyDiffers  the wallet was opened in another currency
├── ListingClosed          what was to be ended or changed has ended before
├── NotDeliverable         the money of a charge is not held, or not any more
├── FileDamaged            the stored bytes are not those that were published
├── DepositKeyMissing      the key that packages are sealed to is not there, or open to others
├── UploadTooLarge         more bytes than the hall takes in (HTTP 413)
├── UploadUnfit            an upload or package that cannot become this version; says what to do
├── VersionBeingMade       a version of this product is being made: one after the other
├── DeliveryClosed         the delivery is not open to this step, or not any more
├── TooManyCredentials     as many credentials of a feed are open as may be
├── FetchFailed            a provider's address that isn't asked, or gives nothing; says why
├── SealBroken             what was sealed under an identity key does not open with it
├── IdentityKeysDamaged    the file of identity keys is not the one of this database
├── AlreadyErased          the subject was erased before, or never existed
├── BillingDiffers         statements do not come to the transfers that they are made of
├── BookDiffers            verification found the first clearing that does not follow
├── ChargeClosed           a charge of data is past this step, or was closed with other amounts
├── VersionsDiffer         verification found a version of data that is not what was published
├── ChargesDiffer          verification found a charge that is not what contract and ledger say
├── MonthsDiffer           verification found a feed's month that is not what was taken and measured
├── QuestionsDiffer        verification found a question that its budgets did not pay for, or twice
├── DisputeClosed          a dispute that cannot be opened, answered or decided (any more)
├── CertificatesDiffer     verification found certificates that are not what befell them
├── CertificatesGone       certificates were used, handed on or withdrawn meanwhile
├── TermsBroken            stored terms are not what was signed; names them
├── WhatIfBusy             another what-if of the community is being computed
├── UnknownZone            a zone that the community has not
├── ApplicationClosed      the application is not open to this step any more
├── ApplicationUnfit       the application cannot be approved as it is; says why
├── LastOwner              nobody would be left to manage the organisation
├── LimitExceeded          more than the person may commit the participant to (HTTP 403)
├── TooManyPeople          as many people act for the participant as may
├── AgreementClosed        the agreement is not open to this step any more
├── TooManyPartners        a metering point has three partners on this side
├── TooManyProposals       as many of a member's proposals wait as may
├── AgreementsInForce      a member who signs alone must end their agreements first
├── SignatureNeeded        the member signs with a key of their own, which the hall does not hold
├── OrderRefused           an order that is not taken in, or not cancelled; ``code`` says why
└── IdempotencyKeyReused   an Idempotency-Key came back with another request

All others become HTTP 409.
"""


def N_(text: str) -> str:  # noqa: N802 - extractors know texts to translate by this name
    """Mark a text for translation; this module knows no framework that could translate it."""
    return text


class MarketplaceError(Exception):
    """Base of every anticipated error; ``code`` is stable and part of the API.

    ``text`` is a format string in English, fit for translation, and ``params`` fill it in.
    """

    code = "marketplace_error"

    def __init__(self, text: str, **params: object) -> None:
        super().__init__(text.format(**params) if params else text)
        self.text, self.params = text, params


class Invalid(MarketplaceError):
    """A value cannot be accepted as it is."""

    code = "invalid"

    def __init__(self, field: str, text: str, **params: object) -> None:
        super().__init__(text, **params)
        self.field = field


class NotFound(MarketplaceError):
    """There is no such thing, or the asker may not know of it."""

    code = "not_found"


class NameTaken(MarketplaceError):
    """A name that must be unique is in use."""

    code = "name_taken"


class CommunityDiffers(MarketplaceError):
    """A community of this name exists under other rules."""

    code = "community_differs"


class SettlementRefused(MarketplaceError):
    """The ledger refused the money of an interval, which its accounts should never make it do."""

    code = "settlement_refused"


class RoleNotAllowed(MarketplaceError):
    """The participant's role does not do this."""

    code = "role_not_allowed"


class WalletMissing(MarketplaceError):
    """The participant has no wallet to pay from or to be paid into."""

    code = "wallet_missing"


class WalletCurrencyDiffers(MarketplaceError):
    """A wallet keeps the currency it was opened in."""

    code = "wallet_currency_differs"


class ListingClosed(MarketplaceError):
    """The offer or request has ended, or the request has its match."""

    code = "listing_closed"


class NotDeliverable(MarketplaceError):
    """The money of a charge is not held yet, was refused or released, or its time is over."""

    code = "not_deliverable"


class FileDamaged(MarketplaceError):
    """The stored bytes are not those that were published."""

    code = "file_damaged"


class DepositKeyMissing(MarketplaceError):
    """The hall's deposit key is not there, or others can read it."""

    code = "deposit_key_missing"


class UploadTooLarge(MarketplaceError):
    """More bytes than the hall takes in."""

    code = "too_large"


class UploadUnfit(MarketplaceError):
    """An upload or a package that cannot become a version of this product."""

    code = "upload_unfit"


class VersionBeingMade(MarketplaceError):
    """A version of this product is being made; the next can come afterwards."""

    code = "version_being_made"


class DeliveryClosed(MarketplaceError):
    """A step that the delivery is not open to: too early, too late, or done in another way."""

    code = "delivery_closed"


class SealBroken(MarketplaceError):
    """What was sealed under an identity key does not open with it: changed, or of another."""

    code = "seal_broken"


class IdentityKeysDamaged(MarketplaceError):
    """The file of identity keys lacks a key that the database names, or holds another one's."""

    code = "identity_keys_damaged"


class AlreadyErased(MarketplaceError):
    """Nobody of that address or number is left to erase."""

    code = "already_erased"


class TermsBroken(MarketplaceError):
    """Stored terms do not carry the signature they say, or what follows from them differs."""

    code = "terms_broken"


class SignatureNeeded(MarketplaceError):
    """Only the member can sign: the hall does not hold their key."""

    code = "signature_needed"


class IdempotencyKeyReused(MarketplaceError):
    """An Idempotency-Key came back with another request."""

    code = "key_reused"


class BillingDiffers(MarketplaceError):
    """The statements of a billing run do not come to the transfers that they are made of."""

    code = "billing_differs"


class BookDiffers(MarketplaceError):
    """A stored clearing does not follow from its book, or is not what the log has."""

    code = "book_differs"


class WhatIfBusy(MarketplaceError):
    """One what-if of a community is computed at a time, and another one is."""

    code = "what_if_busy"


class UnknownZone(MarketplaceError):
    """A zone that the community has not."""

    code = "zone_unknown"


class ApplicationClosed(MarketplaceError):
    """A step that an application is not open to: sent, decided or withdrawn before."""

    code = "application_closed"


class ApplicationUnfit(MarketplaceError):
    """An application that cannot be approved as it is."""

    code = "application_unfit"


class LastOwner(MarketplaceError):
    """A change after which nobody could manage the organisation."""

    code = "last_owner"


class LimitExceeded(MarketplaceError):
    """More than the person may commit the participant to, at once or in a month."""

    code = "limit_exceeded"


class TooManyPeople(MarketplaceError):
    """As many people act for the participant, or are invited to, as may."""

    code = "too_many_people"


class AgreementClosed(MarketplaceError):
    """A step that the agreement is not open to: signed, declined, withdrawn or ended before."""

    code = "agreement_closed"


class ContractClosed(MarketplaceError):
    """A step that a contract of the data market is not open to: signed, declined, or ended."""

    code = "contract_closed"


class ProductClosed(MarketplaceError):
    """The product is not listed, or has no version to sell."""

    code = "product_closed"


class TooManyPartners(MarketplaceError):
    """A metering point has three partners on this side already, or one of this rank."""

    code = "too_many_partners"


class TooManyProposals(MarketplaceError):
    """As many proposals of a member wait for an answer as may."""

    code = "too_many_proposals"


class AgreementsInForce(MarketplaceError):
    """Who signs with a key of their own must end their agreements before they are erased."""

    code = "agreements_in_force"


class ChargeClosed(MarketplaceError):
    """A charge is past this step, or was delivered with other amounts."""

    code = "charge_closed"


class VersionsDiffer(MarketplaceError):
    """A version of data is not what its logged document, its manifest and its package say."""

    code = "versions_differ"


class ChargesDiffer(MarketplaceError):
    """A charge is not what its contract, its commands and its invoices say."""

    code = "charges_differ"


class MonthsDiffer(MarketplaceError):
    """A feed's month is not what its contract makes of what was taken and measured."""

    code = "months_differ"


class QuestionsDiffer(MarketplaceError):
    """A question with noise is not what the ledger took from its budgets."""

    code = "questions_differ"


class DisputeClosed(MarketplaceError):
    """A dispute cannot be opened, answered or decided, not yet or not any more."""

    code = "dispute_closed"


class CertificatesDiffer(MarketplaceError):
    """Certificates are not what their events, the log or the metered export say."""

    code = "certificates_differ"


class CertificatesGone(MarketplaceError):
    """Certificates that were chosen are not there any more: used, handed on or withdrawn."""

    code = "certificates_gone"


# Why an order is refused or cannot be cancelled, by the code that stands in answers for ever.
ORDER_REFUSALS = {
    "key_reused": N_("This key came with another order before."),
    "zone_unknown": N_("The metering point or the zone is not yours, or not in this market."),
    "interval_unknown": N_("No delivery interval of a forward market starts then."),
    "gate_closed": N_("The gate of this interval has closed."),
    "beyond_horizon": N_("Orders for this interval are taken later."),
    "halted": N_("Trading stands still; orders can only be cancelled."),
    "out_of_bounds": N_("Price, energy or minimum are outside of what the rules allow."),
    "expired": N_("The order would have expired already."),
    "position_limit": N_("This would be more than one member may have open in an interval."),
    "credit": N_("Your credit does not cover this order."),
    "split": N_("These orders were asked for again one by one."),
    "not_found": N_("There is no such order of yours."),
    "ended": N_("This order has ended."),
}


class OrderRefused(MarketplaceError):
    """An order was not taken in, or cannot be cancelled."""

    def __init__(self, code: str) -> None:
        super().__init__(ORDER_REFUSALS[code])
        self.code = code


class TooManyCredentials(MarketplaceError):
    """As many credentials of a feed are open as one contract may have."""

    code = "too_many_credentials"


class FetchFailed(MarketplaceError):
    """An address was not asked, or its answer cannot be used; ``reason`` is why, in one word."""

    def __init__(self, reason: str, text: str, **params: object) -> None:
        super().__init__(text, **params)
        self.reason = reason
        self.code = f"fetch_{reason}"
