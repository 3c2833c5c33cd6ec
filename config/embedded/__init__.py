"""Real servers for a demo or a test: PostgreSQL and Valkey as children of one of our processes."""
