"""The client of the data market: gate at home, publish, buy, verify, from a command line."""
