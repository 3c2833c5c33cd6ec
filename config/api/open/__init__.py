"""The open-data API: published figures for everybody, cacheable, without sign-in."""
