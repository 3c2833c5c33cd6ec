"""Matching all open wishes with all products, against as many indexed reads of one product."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Final

from benchmarks.servers import PROJECT, child_environment, durable_servers, make_database
from benchmarks.table import Row

PRODUCTS: Final = 10_000
WISHES: Final = 1_000
RATIO_MAX: Final = 1.0


def measure() -> list[Row]:
    """Make the hall and compare."""
    with durable_servers() as (pair, folder):
        make_database(pair, folder, "matching")
        environment = {
            **child_environment(pair, folder, "matching"),
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "HELIOPOLIS_SECRET_KEY": "only-for-measuring",
        }
        argv = [sys.executable, "-m", "benchmarks.matching_hall", str(PRODUCTS), str(WISHES)]
        done = subprocess.run(
            argv, cwd=PROJECT, env=environment, check=True, stdout=subprocess.PIPE, text=True
        )
    made = json.loads(done.stdout)
    label = f"{WISHES:,} wishes x {PRODUCTS:,} products"
    ratio = made["match_s"] / made["read_s"]
    return [
        Row(f"{label}, matched / as many reads of one", ratio, "x", RATIO_MAX),
        Row(f"{label}, loaded and matched", made["match_s"] * 1e3, "ms"),
        Row(f"{label}, covered by one product", made["single"], ""),
        Row(f"{label}, cheaper or only by two", made["pair"], ""),
        Row(f"{label}, in part", made["part"], ""),
    ]
