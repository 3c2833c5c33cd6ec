"""The operator's pages: health, exceptions, meters, surveillance, the ledger."""
