"""Where somebody stands in the data market, in counts: what is theirs, and what waits for them."""

from dataclasses import dataclass

from django.db import connection

from marketplace.models import (
    DataCharge,
    DataContract,
    DataDelivery,
    DataDispute,
    DataProduct,
    DataVersion,
    DataWish,
)

# One statement: it stands at the head of every trader's home.
_COUNTS = """
SELECT
    (SELECT count(*) FROM marketplace_datacontract
     WHERE seller_id = %(own)s AND state = %(proposed)s),
    (SELECT count(*) FROM marketplace_datacontract
     WHERE (buyer_id = %(own)s OR seller_id = %(own)s) AND state = %(agreed)s),
    (SELECT count(*) FROM marketplace_datadelivery d
     JOIN marketplace_datacontract c ON c.id = d.contract_id
     WHERE c.buyer_id = %(own)s AND d.state = %(offered)s),
    -- The hall offers for those whose key it holds.
    (SELECT count(*) FROM marketplace_datadelivery d
     JOIN marketplace_datacontract c ON c.id = d.contract_id
     JOIN marketplace_signingkey k ON k.id = c.seller_key_id
     WHERE c.seller_id = %(own)s AND k.sealed_private IS NULL AND d.state = %(held)s),
    (SELECT count(*) FROM marketplace_datacharge h
     JOIN marketplace_datacontract c ON c.id = h.contract_id
     WHERE c.buyer_id = %(own)s AND c.state = %(agreed)s AND h.state = %(refused)s),
    (SELECT count(*) FROM marketplace_datadispute t
     JOIN marketplace_datacharge h ON h.id = t.charge_id
     JOIN marketplace_datacontract c ON c.id = h.contract_id
     WHERE (c.buyer_id = %(own)s OR c.seller_id = %(own)s) AND t.state = %(open)s),
    (SELECT count(*) FROM marketplace_datadispute t
     JOIN marketplace_datacharge h ON h.id = t.charge_id
     JOIN marketplace_datacontract c ON c.id = h.contract_id
     WHERE c.seller_id = %(own)s AND t.state = %(open)s AND t.answer = ''),
    (SELECT count(*) FROM marketplace_dataproduct
     WHERE provider_id = %(own)s AND state = %(listed)s),
    (SELECT count(*) FROM marketplace_dataversion v
     JOIN marketplace_dataproduct p ON p.id = v.product_id
     WHERE p.provider_id = %(own)s AND v.state = %(working)s
        AND v.progress ->> 'step' = 'preview'),
    (SELECT count(*) FROM marketplace_datawish
     WHERE buyer_id = %(own)s AND state = %(wished)s),
    (SELECT count(*) FROM marketplace_datawish w
     WHERE w.buyer_id = %(own)s AND w.state = %(wished)s AND EXISTS (
        SELECT FROM marketplace_datawishmatch m WHERE m.wish_id = w.id AND m.uncovered_ppm = 0))
"""


@dataclass(frozen=True)
class Overview:
    """Counts of one participant's, as `_COUNTS` has them; ``to_`` is what waits for them."""

    to_sign: int
    in_force: int
    to_receive: int
    to_offer: int
    charges_refused: int
    disputes_open: int
    to_answer: int
    products_listed: int
    versions_to_confirm: int
    wishes_open: int
    wishes_found: int

    @property
    def waits(self) -> bool:
        """Whether anything waits for them."""
        return bool(
            self.to_sign
            or self.to_receive
            or self.to_offer
            or self.charges_refused
            or self.to_answer
            or self.versions_to_confirm
        )


def get_overview(*, participant_id: int) -> Overview:
    """Count what a participant has in the data market."""
    states = {
        "proposed": DataContract.State.PROPOSED,
        "agreed": DataContract.State.AGREED,
        "offered": DataDelivery.State.OFFERED,
        "held": DataDelivery.State.HELD,
        "refused": DataCharge.State.REFUSED,
        "open": DataDispute.State.OPEN,
        "listed": DataProduct.State.LISTED,
        "working": DataVersion.State.WORKING,
        "wished": DataWish.State.OPEN,
    }
    numbers = {name: int(state) for name, state in states.items()}
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, {"own": participant_id, **numbers})
        return Overview(*cursor.fetchone())
