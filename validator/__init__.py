"""A second implementation of the log and its rules, written from the published formats alone.

It imports nothing of the market hall, and nothing of the hall imports it: what both compute in
the same way was computed twice.
"""
