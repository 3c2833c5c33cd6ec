"""The published log: its keys and policy, and the pages and files at ``/log/``."""
