"""The marketplace's tables: people and places, readings, the market core, the data kind."""

from marketplace.models.data import DataFile
from marketplace.models.market import (
    Clearing,
    Delivery,
    DeliveryInterval,
    Hold,
    Kind,
    Match,
    Offer,
    Request,
    Settlement,
)
from marketplace.models.people import Membership, Participant, User
from marketplace.models.places import Community, MeteringPoint, RuleSet, Site, Zone
from marketplace.models.readings import Reading, ReadingBatch
from marketplace.models.requests import IdempotencyKey
from marketplace.models.terms import SignedTerms, SigningKey

__all__ = [
    "Clearing",
    "Community",
    "DataFile",
    "Delivery",
    "DeliveryInterval",
    "Hold",
    "IdempotencyKey",
    "Kind",
    "Match",
    "Membership",
    "MeteringPoint",
    "Offer",
    "Participant",
    "Reading",
    "ReadingBatch",
    "Request",
    "RuleSet",
    "Settlement",
    "SignedTerms",
    "SigningKey",
    "Site",
    "User",
    "Zone",
]
