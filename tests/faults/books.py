"""What a replay leaves behind, in words that do not depend on which ids were drawn on the way."""

from pathlib import Path
from random import Random

import psycopg

METERS = 6
INTERVALS = 48

# Sequences have gaps after a kill: commands are named by their interval's start, accounts by their
# meter. A transfer's own id has no gaps and is compared as it is.
_QUERIES = {
    "transfers": """
        SELECT t.id, i.starts_at, split_part(c.key, ':', 3), t.leg, t.kind,
            coalesce(debtor.code, d.path), coalesce(creditor.code, r.path), t.amount, t.code,
            t.hold_id, t.corrects_id
        FROM ledger_transfer t
        JOIN ledger_inboxcommand c ON c.id = t.command_id
        JOIN marketplace_deliveryinterval i ON i.id::text = split_part(c.key, ':', 2)
        JOIN ledger_account d ON d.id = t.debit_account_id
        JOIN ledger_account r ON r.id = t.credit_account_id
        LEFT JOIN marketplace_participant dp ON dp.energy_account_id = d.id
        LEFT JOIN marketplace_site ds ON ds.participant_id = dp.id
        LEFT JOIN marketplace_meteringpoint debtor ON debtor.site_id = ds.id
        LEFT JOIN marketplace_participant rp ON rp.energy_account_id = r.id
        LEFT JOIN marketplace_site rs ON rs.participant_id = rp.id
        LEFT JOIN marketplace_meteringpoint creditor ON creditor.site_id = rs.id
        ORDER BY t.id
    """,
    "accounts": """
        SELECT coalesce(m.code, a.path) AS name, a.unit, a.debits_pending, a.debits_posted,
            a.credits_pending, a.credits_posted
        FROM ledger_account a
        LEFT JOIN marketplace_participant p ON p.energy_account_id = a.id
        LEFT JOIN marketplace_site s ON s.participant_id = p.id
        LEFT JOIN marketplace_meteringpoint m ON m.site_id = s.id
        ORDER BY name
    """,
    "commands": """
        SELECT i.starts_at, split_part(c.key, ':', 1), split_part(c.key, ':', 3),
            c.transfer_count, c.state, c.refusal
        FROM marketplace_deliveryinterval i
        JOIN ledger_inboxcommand c ON split_part(c.key, ':', 2) = i.id::text
        ORDER BY i.starts_at, c.id
    """,
    "rules": """
        SELECT key, state FROM ledger_inboxcommand WHERE key LIKE 'rules:%' ORDER BY key
    """,
    "readings": """
        SELECT i.starts_at, m.code, r.version, r.import_wh, r.export_wh
        FROM marketplace_reading r JOIN marketplace_deliveryinterval i ON i.id = r.interval_id
        JOIN marketplace_meteringpoint m ON m.id = r.metering_point_id ORDER BY 1, 2, 3
    """,
    "trades": """
        SELECT i.starts_at, t.revision, seller.code, buyer.code, t.quantity, t.price_micro
        FROM marketplace_match t JOIN marketplace_deliveryinterval i ON i.id = t.interval_id
        JOIN marketplace_offer o ON o.id = t.offer_id
        JOIN marketplace_request q ON q.id = t.request_id
        JOIN marketplace_meteringpoint seller ON seller.id = o.metering_point_id
        JOIN marketplace_meteringpoint buyer ON buyer.id = q.metering_point_id
        ORDER BY 1, 2, 3, 4
    """,
    "intervals": """
        SELECT i.starts_at, i.state, i.revision, i.has_news, c.volume_wh, c.price_micro_per_kwh,
            c.missing_count, s.state, r.revision, r.bought_wh, r.import_wh
        FROM marketplace_deliveryinterval i
        LEFT JOIN marketplace_clearing c ON c.interval_id = i.id
        LEFT JOIN marketplace_settlement s ON s.clearing_id = c.id
        LEFT JOIN analytics_intervalrollup r ON r.interval_id = i.id
        ORDER BY i.starts_at, c.revision
    """,
    "head": "SELECT last_transfer_id FROM ledger_head",
}

Books = dict[str, list[tuple[object, ...]]]


def read_books(url: str) -> Books:
    """Return everything that a replay should come to, by name."""
    with psycopg.connect(url) as connection:
        return {name: connection.execute(query).fetchall() for name, query in _QUERIES.items()}


def write_homes(path: Path) -> Path:
    """Write two days of six invented homes, half of them with a roof plant."""
    random = Random(17)
    lines = ["meter,start,minutes,import_wh,export_wh"]
    for hour in range(INTERVALS):
        start = f"2026-06-{15 + hour // 24}T{hour % 24:02d}:00:00+08:00"
        sunny = 8 <= hour % 24 <= 16
        for meter in range(METERS):
            net = random.randint(100, 2000) - (
                random.randint(0, 4000) if sunny and meter % 2 else 0
            )
            lines.append(f"HOME-{meter},{start},60,{max(net, 0)},{max(-net, 0)}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
