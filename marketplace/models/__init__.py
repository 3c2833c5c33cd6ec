"""The marketplace's tables: people and places, readings, energy, data."""

from marketplace.models.agreements import Agreement
from marketplace.models.applications import Application, EmailConfirmation, TextConsent
from marketplace.models.billing import (
    BilledSettlement,
    BillingRun,
    FinalBilling,
    Statement,
    StatementItem,
)
from marketplace.models.certificates import (
    CertificateAccount,
    CertificateBundle,
    CertificateCancellation,
    CertificateDebt,
    CertificateEvent,
    CertificateIssuance,
    ProductionDevice,
)
from marketplace.models.comparisons import PricingComparison, PricingOutcome
from marketplace.models.credit import CreditLimitChange
from marketplace.models.data_contracts import (
    DataCharge,
    DataContract,
    DataDispute,
    DataInvoice,
)
from marketplace.models.data_delivery import (
    DataDelivery,
    FeedCredential,
    FeedState,
    FeedUse,
    ProbeResult,
)
from marketplace.models.data_feeds import FeedWatch, ProbeDay, ServiceReport
from marketplace.models.data_products import (
    CatalogueChange,
    CatalogueRecord,
    DataFacet,
    DataFormat,
    DataProduct,
    DataVersion,
)
from marketplace.models.data_queries import DataQuery, DataQueryStore
from marketplace.models.data_rewraps import DataRewrap
from marketplace.models.data_uploads import DataUpload
from marketplace.models.data_wishes import (
    DataWish,
    DataWishAnswer,
    DataWishMatch,
)
from marketplace.models.health import TaskRun, Verification
from marketplace.models.market import (
    Clearing,
    DeliveryInterval,
    Match,
    Offer,
    Request,
    Settlement,
)
from marketplace.models.notice_mails import MailCursor, MailPreference, NoticeMail
from marketplace.models.notices import (
    Notice,
)
from marketplace.models.orders import (
    Auction,
    CreditLine,
    Order,
    OrderBatch,
    OrderEvent,
    TradingHalt,
)
from marketplace.models.organisations import Commitment, Invitation
from marketplace.models.people import Membership, Participant, User
from marketplace.models.places import Community, MeteringPoint, RuleSet, Site, Zone
from marketplace.models.privacy import Access, ErasureRequest
from marketplace.models.reading_reports import ReadingReport
from marketplace.models.readings import Reading, ReadingBatch
from marketplace.models.requests import IdempotencyKey
from marketplace.models.surveillance import Alert, AlertStep, MeterDay, MeterState, WatchedDay
from marketplace.models.terms import SignedTerms, SigningKey
from marketplace.models.what_ifs import RuleDraft, WhatIf, WhatIfDay

__all__ = [
    "Access",
    "Agreement",
    "Alert",
    "AlertStep",
    "Application",
    "Auction",
    "BilledSettlement",
    "BillingRun",
    "CatalogueChange",
    "CatalogueRecord",
    "CertificateAccount",
    "CertificateBundle",
    "CertificateCancellation",
    "CertificateDebt",
    "CertificateEvent",
    "CertificateIssuance",
    "Clearing",
    "Commitment",
    "Community",
    "CreditLimitChange",
    "CreditLine",
    "DataCharge",
    "DataContract",
    "DataDelivery",
    "DataDispute",
    "DataFacet",
    "DataFormat",
    "DataInvoice",
    "DataProduct",
    "DataQuery",
    "DataQueryStore",
    "DataRewrap",
    "DataUpload",
    "DataVersion",
    "DataWish",
    "DataWishAnswer",
    "DataWishMatch",
    "DeliveryInterval",
    "EmailConfirmation",
    "ErasureRequest",
    "FeedCredential",
    "FeedState",
    "FeedUse",
    "FeedWatch",
    "FinalBilling",
    "IdempotencyKey",
    "Invitation",
    "MailCursor",
    "MailPreference",
    "Match",
    "Membership",
    "MeterDay",
    "MeterState",
    "MeteringPoint",
    "Notice",
    "NoticeMail",
    "Offer",
    "Order",
    "OrderBatch",
    "OrderEvent",
    "Participant",
    "PricingComparison",
    "PricingOutcome",
    "ProbeDay",
    "ProbeResult",
    "ProductionDevice",
    "Reading",
    "ReadingBatch",
    "ReadingReport",
    "Request",
    "RuleDraft",
    "RuleSet",
    "ServiceReport",
    "Settlement",
    "SignedTerms",
    "SigningKey",
    "Site",
    "Statement",
    "StatementItem",
    "TaskRun",
    "TextConsent",
    "TradingHalt",
    "User",
    "Verification",
    "WatchedDay",
    "WhatIf",
    "WhatIfDay",
    "Zone",
]
