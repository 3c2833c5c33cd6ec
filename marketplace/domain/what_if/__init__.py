"""What a past period would have come to under other rules; pure, and never settled."""
