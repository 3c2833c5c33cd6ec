"""Every view that answers without sign-in; a test compares this list with the URL map."""

PUBLIC_VIEWS = (
    # What the hall is, what it publishes, and how to check it.
    "about",
    "check",
    "home",
    "public_figures",
    # What the city publishes of itself, for whoever counts with it.
    "api_open_publication",
    "api_open_publications",
    "api_open_series",
    "api_open_table",
    "cancellation",
    "cancellation_receipt",
    "cancellation_text",
    # The catalogue for other catalogues and feed readers, and what was measured: an invitation.
    "catalogue_atom",
    "catalogue_json_ld",
    "catalogue_quality",
    "catalogue_rss",
    "catalogue_turtle",
    "healthz",
    "indicators",
    "indicators_csv",
    "indicators_json",
    "invitation",
    "join",
    "join_confirm",
    "join_text",
    "join_try",
    "log",
    "log_checkpoint",
    "log_cosignatures",
    "log_objections",
    "log_pending",
    "log_policy",
    "log_tile",
    # Whoever has the signed link of a mail may end their mails without signing in.
    "mail_stop",
    "password_reset",
    "password_reset_complete",
    "password_reset_confirm",
    "password_reset_done",
    "receipt_check",
    "set_language",
    "sign_in",
)

# These have no sign-in either: programs show a credential of their contract with every request,
# and the view itself turns away whoever shows none.
CREDENTIAL_VIEWS = ("feed_events", "feed_file")
