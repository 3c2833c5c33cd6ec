"""What a replayed community came to, as one JSON document and as a table."""

import resource
import sys
from typing import Any

from config.replay.pipeline import Stopwatch
from config.replay.recomputation import compare_community
from marketplace.domain.transfer_codes import TransferCode
from marketplace.queries.period import get_community_parties, get_period_totals

STAGES = ("import", "clear", "settle", "rollup")


def summarise(*, community_id: int, name: str, stopwatch: Stopwatch) -> dict[str, Any]:
    """Return the summary that ``manage.py replay --summary`` writes. [Wh], [micro], [s], [MB]"""
    totals = get_period_totals(community_id=community_id)
    compared = compare_community(community_id)
    posted = compared.posted_micro
    seconds = {stage: round(stopwatch.seconds.get(stage, 0.0), 3) for stage in STAGES}
    return {
        "community": name,
        "households": totals.households,
        "intervals": totals.intervals,
        "import_wh": totals.import_wh,
        "export_wh": totals.export_wh,
        "traded_wh": totals.traded_wh,
        "grid_import_wh": totals.import_wh - totals.traded_wh,
        "grid_export_wh": totals.export_wh - totals.traded_wh,
        "self_sufficiency": _share(totals.traded_wh, totals.import_wh),
        "self_consumption": _share(totals.traded_wh, totals.export_wh),
        "mean_price_micro_per_kwh": (
            totals.price_weight // totals.traded_wh if totals.traded_wh else None
        ),
        "transfers": compared.transfers,
        "money": {
            "currency": get_community_parties(community_id=community_id).currency,
            "buyers_paid_micro": posted[TransferCode.POOL_PURCHASE],
            "sellers_received_micro": posted[TransferCode.POOL_SALE],
            "grid_paid_micro": posted[TransferCode.GRID_PURCHASE],
            "grid_received_micro": posted[TransferCode.GRID_SALE],
            "platform_micro": posted[TransferCode.PLATFORM_FEE],
            "rounding_micro": posted[TransferCode.ROUNDING],
            "grid_fees_micro": posted[TransferCode.GRID_FEE],
            "imbalance_micro": compared.imbalance_micro,
        },
        "seconds": {**seconds, "total": round(sum(seconds.values()), 3)},
        "peak_rss_mb": round(peak_rss_mb(), 1),
    }


def peak_rss_mb() -> float:
    """Return the most memory this process has had. [MB]"""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def table(summary: dict[str, Any]) -> str:
    """Return the summary as lines for a terminal."""
    money, currency = summary["money"], summary["money"]["currency"]
    rows = [
        ("community", summary["community"]),
        ("households", f"{summary['households']:,}"),
        ("intervals", f"{summary['intervals']:,}"),
        *((label, _kwh(summary[key])) for label, key in _ENERGY),
        ("self-sufficiency", _percent(summary["self_sufficiency"])),
        ("self-consumption", _percent(summary["self_consumption"])),
        ("mean price", _price(summary["mean_price_micro_per_kwh"], currency)),
        ("transfers", f"{summary['transfers']:,}"),
        *((label, _money(money[key], currency)) for label, key in _MONEY),
        ("imbalance", f"{money['imbalance_micro']} micro"),
        ("seconds", f"{summary['seconds']['total']:.2f}"),
        ("peak memory", f"{summary['peak_rss_mb']:.0f} MB"),
    ]
    width = max(len(label) for label, _ in rows)
    return "\n".join(f"  {label:<{width}}  {value:>22}" for label, value in rows)


_ENERGY = (
    ("import", "import_wh"),
    ("export", "export_wh"),
    ("traded between neighbours", "traded_wh"),
    ("bought from the grid", "grid_import_wh"),
    ("sold to the grid", "grid_export_wh"),
)
_MONEY = (
    ("buyers paid", "buyers_paid_micro"),
    ("sellers received", "sellers_received_micro"),
    ("paid to the supplier", "grid_paid_micro"),
    ("received from the supplier", "grid_received_micro"),
    ("platform fee", "platform_micro"),
    ("left by rounding", "rounding_micro"),
)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _kwh(energy_wh: int) -> str:
    return f"{energy_wh / 1000:,.3f} kWh"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _price(price: int | None, currency: str) -> str:
    return "-" if price is None else f"{price / 1e6:.6f} {currency}/kWh"


def _money(amount_micro: int, currency: str) -> str:
    return f"{amount_micro / 1e6:,.6f} {currency}"
