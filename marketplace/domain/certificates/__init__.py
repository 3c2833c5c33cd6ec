"""Certificates of origin: bundles, corrections, checks, what leaves the hall."""
