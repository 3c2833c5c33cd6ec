"""The data market in plain Python: prices, policies, contracts, exchange, matching."""
