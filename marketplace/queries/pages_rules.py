"""Standing rules as their owners see them: the one in force and those before it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from marketplace.models import Offer, Request
from marketplace.queries.signed_terms import Signature, list_signatures


@dataclass(frozen=True)
class RuleVersion:
    """Terms of one metering point over a time; None prices draw the rule set's default.

    Without a signature they are the rule set's default, which nobody signs.
    """

    version: int
    sell_at_or_above_micro_per_kwh: int | None
    buy_at_or_below_micro_per_kwh: int | None
    is_paused: bool
    valid_from: datetime
    valid_until: datetime | None
    signature: Signature | None

    def is_in_force(self, now: datetime) -> bool:
        """Return whether an interval that starts now would follow these terms."""
        return self.valid_from <= now and (self.valid_until is None or now < self.valid_until)


def list_rule_versions(*, metering_point_ids: list[int]) -> dict[int, list[RuleVersion]]:
    """Return the versions of each metering point's rule, newest first."""
    requests = {
        (request.metering_point_id, request.version): request
        for request in Request.objects.filter(metering_point__in=metering_point_ids)
    }
    found: dict[int, list[RuleVersion]] = defaultdict(list)
    offers = list(Offer.objects.filter(metering_point__in=metering_point_ids).order_by("-version"))
    signatures = list_signatures([*offers, *requests.values()])
    for offer in offers:
        assert offer.metering_point_id is not None  # a constraint of energy offers
        request = requests.get((offer.metering_point_id, offer.version))
        found[offer.metering_point_id].append(
            RuleVersion(
                version=offer.version,
                sell_at_or_above_micro_per_kwh=offer.limit_price_micro,
                buy_at_or_below_micro_per_kwh=request.limit_price_micro if request else None,
                is_paused=offer.is_paused,
                valid_from=offer.valid_from,
                valid_until=offer.valid_until,
                signature=_signature(offer, request, signatures),
            )
        )
    return found


def _signature(
    offer: Offer, request: Request | None, signatures: Mapping[tuple[str, int], Signature]
) -> Signature | None:
    """Return the one signature of both sides; broken when either side is."""
    found = signatures.get(("offer", offer.id))
    other = signatures.get(("request", request.id)) if request else None
    if found is None:
        return other
    is_whole = other is not None and other.is_as_signed
    return replace(found, is_as_signed=found.is_as_signed and is_whole)
