"""Everything the marketplace keeps of one participant, part by part, for that participant alone.

`PARTS` and `LEFT_OUT` together name every column that refers to a participant or to a metering
point; a test compares them with the database's foreign keys, so that a new table cannot be
forgotten.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True)
class Part:
    """One file of the export.

    Attributes
    ----------
    name : str
        Of the file, without its ending.
    form : str
        ``csv`` for figures, ``json`` for what has texts and lists in it.
    covers : tuple of str
        ``table.column`` by which the participant's rows are found.
    sql : str
        Takes ``me``, ``points`` and ``contracts``; its columns are the file's.
    """

    name: str
    form: Literal["csv", "json"]
    covers: tuple[str, ...]
    sql: str


PARTS: Final[tuple[Part, ...]] = (
    Part(
        "sites",
        "csv",
        ("marketplace_site.participant_id",),
        "SELECT s.id AS site, z.name AS zone, s.label FROM marketplace_site s"
        " JOIN marketplace_zone z ON z.id = s.zone_id WHERE s.participant_id = %(me)s ORDER BY 1",
    ),
    Part(
        "metering_points",
        "csv",
        ("marketplace_meteringpoint.site_id",),
        "SELECT id AS metering_point, site_id AS site, code, active_from, active_until,"
        " voltage_level, sharing_weight FROM marketplace_meteringpoint"
        " WHERE id = ANY(%(points)s) ORDER BY 1",
    ),
    Part(
        "readings",
        "csv",
        ("marketplace_reading.metering_point_id",),
        "SELECT r.metering_point_id AS metering_point, i.starts_at, i.ends_at, r.version,"
        " r.import_wh, r.export_wh, r.quality FROM marketplace_meteringpoint p"
        # A reading is found by its interval: the key begins with it.
        " JOIN marketplace_deliveryinterval i ON i.community_id = p.community_id"
        " JOIN marketplace_reading r ON r.interval_id = i.id AND r.metering_point_id = p.id"
        " WHERE p.id = ANY(%(points)s) ORDER BY 1, 2, 4",
    ),
    Part(
        "trades",
        "csv",
        ("marketplace_match.seller_point_id", "marketplace_match.buyer_point_id"),
        "SELECT i.starts_at, i.ends_at, m.revision,"
        " CASE WHEN m.seller_point_id = ANY(%(points)s) THEN 'sold' ELSE 'bought' END AS side,"
        " CASE WHEN m.seller_point_id = ANY(%(points)s) THEN m.seller_point_id"
        " ELSE m.buyer_point_id END AS metering_point,"
        " m.agreement_id AS agreement, m.quantity AS quantity_wh, m.delivered_wh,"
        " m.price_micro AS price_micro_per_kwh FROM marketplace_match m"
        " JOIN marketplace_deliveryinterval i ON i.id = m.interval_id"
        # Each of the four by an index of its own.
        " WHERE m.offer_id = ANY(%(offers)s) OR m.request_id = ANY(%(requests)s)"
        " OR (m.offer_id IS NULL AND m.seller_point_id = ANY(%(points)s))"
        " OR (m.request_id IS NULL AND m.buyer_point_id = ANY(%(points)s))"
        " ORDER BY 1, 3, m.id",
    ),
    Part(
        "rules_for_selling",
        "csv",
        ("marketplace_offer.participant_id", "marketplace_offer.metering_point_id"),
        "SELECT metering_point_id AS metering_point, version,"
        " limit_price_micro AS sell_at_or_above_micro_per_kwh, is_paused, valid_from, valid_until,"
        " created_at FROM marketplace_offer WHERE participant_id = %(me)s ORDER BY 1, 2",
    ),
    Part(
        "rules_for_buying",
        "csv",
        ("marketplace_request.participant_id", "marketplace_request.metering_point_id"),
        "SELECT metering_point_id AS metering_point, version,"
        " limit_price_micro AS buy_at_or_below_micro_per_kwh, is_paused, valid_from, valid_until,"
        " created_at FROM marketplace_request WHERE participant_id = %(me)s ORDER BY 1, 2",
    ),
    Part(
        "signed_texts",
        "json",
        ("marketplace_signedterms.participant_id", "marketplace_signedterms.metering_point_id"),
        "SELECT id, metering_point_id AS metering_point, convert_from(body, 'UTF8') AS text,"
        " sha256, encode(signature, 'base64') AS signature, created_at"
        " FROM marketplace_signedterms WHERE participant_id = %(me)s ORDER BY 1",
    ),
    Part(
        "signing_keys",
        "csv",
        ("marketplace_signingkey.participant_id",),
        "SELECT id, encode(public_key, 'base64') AS public_key, created_at, ended_at"
        " FROM marketplace_signingkey WHERE participant_id = %(me)s ORDER BY 1",
    ),
    Part(
        "agreements",
        "json",
        (
            "marketplace_agreement.seller_id",
            "marketplace_agreement.buyer_id",
            "marketplace_agreement.seller_point_id",
            "marketplace_agreement.buyer_point_id",
        ),
        "SELECT id, CASE WHEN seller_id = %(me)s THEN 'seller' ELSE 'buyer' END AS my_side,"
        " convert_from(body, 'UTF8') AS text, sha256, proposed_at, agreed_at, closed_at, ended_at"
        " FROM marketplace_agreement WHERE %(me)s IN (seller_id, buyer_id) ORDER BY 1",
    ),
    Part(
        "statements",
        "csv",
        ("marketplace_statement.participant_id",),
        "SELECT r.month, f.number, r.made_at, s.import_wh, s.export_wh, s.bought_wh, s.sold_wh,"
        " s.agreed_bought_wh, s.agreed_sold_wh, s.alone_micro, s.net_micro, s.correction_micro,"
        " s.tax_micro, s.carried_micro, s.payable_minor FROM marketplace_statement s"
        " JOIN marketplace_billingrun r ON r.id = s.run_id"
        " JOIN marketplace_finalbilling f ON f.run_id = r.id"
        " WHERE s.participant_id = %(me)s ORDER BY 1, 2",
    ),
    Part(
        "statement_lines",
        "csv",
        ("marketplace_statementitem.participant_id",),
        "SELECT r.month, f.number, t.line, i.starts_at AS corrected_interval,"
        " t.price_micro_per_kwh, t.energy_wh, t.amount_micro FROM marketplace_statementitem t"
        " JOIN marketplace_billingrun r ON r.id = t.run_id"
        " JOIN marketplace_finalbilling f ON f.run_id = r.id"
        " LEFT JOIN marketplace_deliveryinterval i ON i.id = t.interval_id"
        " WHERE t.participant_id = %(me)s ORDER BY 1, 2, t.id",
    ),
    Part(
        "pricing_comparisons",
        "csv",
        ("marketplace_pricingoutcome.participant_id",),
        "SELECT c.month, o.pricing, o.net_micro FROM marketplace_pricingoutcome o"
        " JOIN marketplace_pricingcomparison c ON c.id = o.comparison_id"
        " WHERE o.participant_id = %(me)s ORDER BY 1, 2",
    ),
    Part(
        "orders",
        "csv",
        ("marketplace_order.participant_id", "marketplace_order.metering_point_id"),
        "SELECT o.id, i.starts_at, o.metering_point_id AS metering_point, o.side,"
        " o.limit_price_micro_per_kwh, o.quantity_wh, o.minimum_wh, o.filled_wh, o.received_at,"
        " o.expires_at, o.ended_at FROM marketplace_order o"
        " JOIN marketplace_deliveryinterval i ON i.id = o.interval_id"
        " WHERE o.participant_id = %(me)s ORDER BY 1",
    ),
    Part(
        "order_holds",
        "csv",
        ("marketplace_orderbatch.participant_id",),
        "SELECT b.id, i.starts_at, b.state, b.refusal, b.hold_micro, b.received_at, b.answered_at"
        " FROM marketplace_orderbatch b"
        " JOIN marketplace_deliveryinterval i ON i.id = b.interval_id"
        " WHERE b.participant_id = %(me)s ORDER BY 1",
    ),
    Part(
        "order_events",
        "json",
        ("marketplace_orderevent.participant_id",),
        "SELECT id, body, created_at FROM marketplace_orderevent"
        " WHERE participant_id = %(me)s ORDER BY 1",
    ),
    Part(
        "credit",
        "csv",
        ("marketplace_creditline.participant_id",),
        "SELECT line_micro, pending_micro FROM marketplace_creditline"
        " WHERE participant_id = %(me)s",
    ),
    Part(
        "devices",
        "csv",
        ("marketplace_productiondevice.metering_point_id",),
        "SELECT id, metering_point_id AS metering_point, technology, capacity_w, commissioned_on,"
        " active_from, active_until, registered_at FROM marketplace_productiondevice"
        " WHERE metering_point_id = ANY(%(points)s) ORDER BY 1",
    ),
    Part(
        "certificates",
        "csv",
        ("marketplace_certificatebundle.holder_id",),
        "SELECT b.id, i.starts_at, b.device_id AS device, b.first_wh, b.last_wh, b.state"
        " FROM marketplace_certificatebundle b"
        " JOIN marketplace_deliveryinterval i ON i.id = b.interval_id"
        " WHERE b.holder_id = %(me)s ORDER BY 1",
    ),
    Part(
        "certificate_events",
        "csv",
        ("marketplace_certificateevent.giver_id", "marketplace_certificateevent.receiver_id"),
        "SELECT id, kind, CASE WHEN giver_id = %(me)s THEN 'given' ELSE 'received' END AS my_side,"
        " quantity_wh, recorded_at FROM marketplace_certificateevent"
        " WHERE %(me)s IN (giver_id, receiver_id) ORDER BY 1",
    ),
    Part(
        "certificate_cancellations",
        "csv",
        ("marketplace_certificatecancellation.participant_id",),
        "SELECT public_id, statement_sha256 FROM marketplace_certificatecancellation"
        " WHERE participant_id = %(me)s ORDER BY id",
    ),
    Part(
        "certificate_accounts",
        "csv",
        ("marketplace_certificateaccount.participant_id",),
        "SELECT unit, account_id AS account FROM marketplace_certificateaccount"
        " WHERE participant_id = %(me)s ORDER BY id",
    ),
    Part(
        "data_products",
        "json",
        ("marketplace_dataproduct.provider_id",),
        "SELECT id, kind, format, state, title, description, keywords, theme, licence, currency,"
        " price, shares, policy, service_level, source_url, created_at, listed_at, withdrawn_at"
        " FROM marketplace_dataproduct WHERE provider_id = %(me)s ORDER BY 1",
    ),
    Part(
        "data_requests",
        "json",
        ("marketplace_datawish.buyer_id",),
        "SELECT id, state, title, format, kind, resolution_s, age_s, limit_price_micro, currency,"
        " deadline_at, posted_at, closed_at FROM marketplace_datawish"
        " WHERE buyer_id = %(me)s ORDER BY 1",
    ),
    Part(
        "data_contracts",
        "json",
        ("marketplace_datacontract.seller_id", "marketplace_datacontract.buyer_id"),
        "SELECT id, CASE WHEN seller_id = %(me)s THEN 'seller' ELSE 'buyer' END AS my_side, state,"
        " convert_from(body, 'UTF8') AS text, sha256, valid_from, valid_until, proposed_at,"
        " agreed_at, closed_at FROM marketplace_datacontract"
        " WHERE id = ANY(%(contracts)s) ORDER BY 1",
    ),
    Part(
        "data_charges",
        "csv",
        (),
        "SELECT id, contract_id AS contract, number, period_start, period_end, state, held_micro,"
        " due_micro, credit_micro, refund_micro, opened_at, closed_at FROM marketplace_datacharge"
        " WHERE contract_id = ANY(%(contracts)s) ORDER BY 1",
    ),
    Part(
        "data_deliveries",
        "csv",
        (),
        "SELECT id, contract_id AS contract, state, offered_at, received_at, key_out_at, ended_at,"
        " served_bytes, problem FROM marketplace_datadelivery"
        " WHERE contract_id = ANY(%(contracts)s) ORDER BY 1",
    ),
    Part(
        "data_disputes",
        "json",
        (),
        "SELECT d.id, c.contract_id AS contract, d.state, d.reason, d.statement, d.answer,"
        " d.opened_at, d.answered_at, d.decided_at, d.refund_micro, d.verdict"
        " FROM marketplace_datadispute d JOIN marketplace_datacharge c ON c.id = d.charge_id"
        " WHERE c.contract_id = ANY(%(contracts)s) ORDER BY 1",
    ),
    Part(
        "data_invoices",
        "json",
        ("marketplace_datainvoice.seller_id",),
        "SELECT n.number, n.kind, n.amount_micro, n.lines, n.issued_at"
        " FROM marketplace_datainvoice n JOIN marketplace_datacharge c ON c.id = n.charge_id"
        " WHERE c.contract_id = ANY(%(contracts)s) ORDER BY n.id",
    ),
    Part(
        "notices",
        "json",
        ("marketplace_notice.participant_id",),
        "SELECT kind, subject, at, read_at FROM marketplace_notice"
        " WHERE participant_id = %(me)s ORDER BY id",
    ),
    Part(
        "meter_days",
        "csv",
        ("marketplace_meterday.metering_point_id",),
        "SELECT metering_point_id AS metering_point, day, expected_count, reading_count,"
        " estimated_count, import_wh, export_wh, night_export_wh, peak_wh FROM marketplace_meterday"
        " WHERE metering_point_id = ANY(%(points)s) ORDER BY 1, 2",
    ),
    Part(
        "meter_states",
        "csv",
        ("marketplace_meterstate.metering_point_id",),
        "SELECT metering_point_id AS metering_point, last_reading_at, expected_count,"
        " missing_count, estimated_count, gap_since FROM marketplace_meterstate"
        " WHERE metering_point_id = ANY(%(points)s) ORDER BY 1",
    ),
    Part(
        "alerts",
        "csv",
        ("marketplace_alert.participant_id", "marketplace_alert.metering_point_id"),
        "SELECT rule, day, state, found_at, changed_at FROM marketplace_alert"
        " WHERE participant_id = %(me)s OR metering_point_id = ANY(%(points)s) ORDER BY id",
    ),
    Part(
        "who_looked",
        "csv",
        ("marketplace_access.participant_id",),
        "SELECT viewer_role AS role, what, way, day, count, first_at, last_at"
        " FROM marketplace_access WHERE participant_id = %(me)s ORDER BY id",
    ),
    Part(
        "credit_limits",
        "csv",
        ("marketplace_creditlimitchange.participant_id",),
        "SELECT before_micro, after_micro, reason, at FROM marketplace_creditlimitchange"
        " WHERE participant_id = %(me)s ORDER BY id",
    ),
    Part(
        "erasure_requests",
        "csv",
        ("marketplace_erasurerequest.participant_id",),
        "SELECT asked_at, closed_at, is_done FROM marketplace_erasurerequest"
        " WHERE participant_id = %(me)s ORDER BY id",
    ),
    Part(
        "what_ifs",
        "json",
        ("marketplace_whatif.asked_by_id",),
        "SELECT first_day, last_day, change, asked_at, computed_at FROM marketplace_whatif"
        " WHERE asked_by_id = %(me)s ORDER BY id",
    ),
    Part(
        "texts_agreed_to",
        "csv",
        ("marketplace_textconsent.participant_id",),
        "SELECT slug, version, language, sha256, agreed_on FROM marketplace_textconsent"
        " WHERE participant_id = %(me)s ORDER BY id",
    ),
)

# What refers to a participant and is not handed out, each with its reason.
LEFT_OUT: Final[Mapping[str, str]] = {
    "marketplace_membership.participant_id": "Who acts for it: tags that say nothing, of persons.",
    "marketplace_access.viewer_id": "Whom this office looked at is the data of those members.",
    "marketplace_alert.other_id": "Found about somebody else; about this one see `alerts`.",
    "marketplace_alertstep.operator_id": "An office's own work on somebody else's alert.",
    "marketplace_datadispute.decided_by_id": "An office's verdict about others' dispute.",
    "marketplace_creditlimitchange.operator_id": "An office's act; its words are the member's.",
    "marketplace_ruledraft.author_id": "An office's draft for a community.",
    "marketplace_tradinghalt.ordered_by_id": "An office's act, public to all members.",
    "marketplace_tradinghalt.lifted_by_id": "An office's act, public to all members.",
    "marketplace_invitation.participant_id": "Addresses of other people.",
}
