"""The market ahead of delivery: orders, the auction at gate closure, what was delivered of it."""
