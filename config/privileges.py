"""What the application's role may do, in one place; granted anew after every migration.

Two roles: the owner runs migrations, the application's role serves, works and tests. The
application can add to history and answer commands; it cannot change, remove or empty anything.
"""

from django.conf import settings
from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

APPEND_ONLY = (
    "analytics_publication",
    "ledger_block",
    "ledger_blockseed",
    "ledger_cosignature",
    "ledger_objection",
    "ledger_snapshot",
    "ledger_transfer",
    "marketplace_alertstep",
    "marketplace_auction",
    "marketplace_billedsettlement",
    "marketplace_billingrun",
    "marketplace_cataloguechange",
    "marketplace_certificateaccount",
    "marketplace_certificatecancellation",
    "marketplace_certificatedebt",
    "marketplace_certificateevent",
    "marketplace_certificateissuance",
    "marketplace_clearing",
    "marketplace_creditlimitchange",
    "marketplace_datainvoice",
    "marketplace_dataquerystore",
    "marketplace_datarewrap",
    "marketplace_finalbilling",
    "marketplace_match",
    "marketplace_proberesult",
    "marketplace_reading",
    "marketplace_readingreport",
    "marketplace_ruleset",
    "marketplace_servicereport",
    "marketplace_signedterms",
    "marketplace_statement",
    "marketplace_statementitem",
    "marketplace_verification",
)
# Tables whose rows stay for ever but of which some columns may be set.
UPDATABLE_COLUMNS = {
    "ledger_head": (
        "epoch",
        "holder",
        "lease_until",
        "session_pid",
        "session_started_at",
        "last_block",
        "last_transfer_id",
        "pruned_transfer_id",
    ),
    "ledger_inboxcommand": ("state", "refusal", "block_id", "position", "leaf_index"),
    "ledger_account": ("leaf_index",),
    "ledger_checkpoint": ("attested_at",),
    "ledger_openingscredential": ("revoked_at",),
    "ledger_publisherstate": ("holder", "stopped_because", "changed_at"),
    "marketplace_access": ("count", "last_at"),
    "marketplace_agreement": (
        "seller_signature",
        "buyer_signature",
        "agreed_at",
        "closed_at",
        "end_body",
        "end_signature",
        "end_key_id",
        "ended_at",
    ),
    "marketplace_alert": ("figures", "state", "changed_at"),
    "marketplace_certificatebundle": (
        "holder_id",
        "first_wh",
        "last_wh",
        "state",
        "cancellation_id",
    ),
    "marketplace_creditline": ("line_micro", "change_count", "pending_micro"),
    "marketplace_datacharge": (
        "state",
        "due_micro",
        "credit_micro",
        "refund_micro",
        "attempt",
        "command_key",
        "refusal",
        "expires_at",
        "delivered_at",
        "window_s",
        "window_ends_at",
        "closed_at",
    ),
    "marketplace_datacontract": (
        "state",
        "seller_signature",
        "agreed_at",
        "closed_at",
        "revocation_body",
        "revocation_signature",
        "revocation_key_id",
    ),
    "marketplace_datadispute": (
        "state",
        "answer",
        "evidence",
        "answered_at",
        "decided_at",
        "decided_by_id",
        "refund_micro",
        "verdict",
    ),
    "marketplace_dataquery": ("state", "refusal", "counts", "bar", "answered_at"),
    "marketplace_dataupload": ("sealed_key", "is_complete", "received_at", "destroyed_at"),
    "marketplace_erasurerequest": ("closed_at", "is_done"),
    "marketplace_feedcredential": ("revoked_at",),
    "marketplace_notice": ("read_at",),
    "marketplace_order": ("batch_id", "ended_at", "filled_wh", "is_dropped"),
    "marketplace_orderbatch": (
        "state",
        "refusal",
        "hold_micro",
        "change_count",
        "is_stale",
        "answered_at",
    ),
    "marketplace_productiondevice": ("active_until",),
    "marketplace_signingkey": ("ended_at",),
    "marketplace_tradinghalt": ("ends_at", "lifted_by_id"),
}
INSERTABLE_COLUMNS = {"ledger_account": ("id", "path", "unit", "overdraft_limit")}


def grant_privileges(connection: BaseDatabaseWrapper) -> None:
    """Bring the application role's privileges to what this module says. Run by the owner."""
    role = connection.ops.quote_name(settings.APP_ROLE)
    tables = set(connection.introspection.table_names())
    statements = [
        f"GRANT USAGE ON SCHEMA public TO {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
        f"REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM {role}",
        f"REVOKE INSERT, DELETE ON ledger_head FROM {role}",
        f"REVOKE INSERT ON ledger_snapshot FROM {role}",
    ]
    for table in (*APPEND_ONLY, *UPDATABLE_COLUMNS):
        statements.append(f"REVOKE UPDATE, DELETE ON {table} FROM {role}")
    for table, columns in UPDATABLE_COLUMNS.items():
        if columns:
            statements.append(f"GRANT UPDATE ({', '.join(columns)}) ON {table} TO {role}")
    for table, columns in INSERTABLE_COLUMNS.items():
        statements.append(f"REVOKE INSERT ON {table} FROM {role}")
        statements.append(f"GRANT INSERT ({', '.join(columns)}) ON {table} TO {role}")
    if not tables.issuperset({*APPEND_ONLY, *UPDATABLE_COLUMNS}):
        return  # migrated backwards: there is nothing left to guard
    # At once: between the broad grant and what is taken back, nobody may look in.
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
