"""Bundles in the fields of EnergyTag's granular certificates (Standard v2), as CSV or JSON.

What the hall does not know stays empty: it has no coordinates of homes, no emission factors, and
its certificates do not expire. Ranges there include both ends.
"""

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from marketplace.domain.spreadsheet import plain_text

STATUSES: Final = {"active": "Active", "cancelled": "Cancelled", "withdrawn": "Withdrawn"}
SOURCES: Final = {"solar": "Solar", "wind": "Wind", "hydro": "Hydro", "biomass": "Biomass"}
DEVICE_TYPES: Final = {
    "solar": "Solar PV",
    "wind": "Onshore Wind Turbine",
    "hydro": "Run-of-river Hydro",
    "biomass": "Biomass Plant",
}
# These may change in a bundle's life, so its hash leaves them out.
MUTABLE: Final = ("certificate_bundle_status", "account_id")

Field = str | int | bool | None


@dataclass(frozen=True)
class GranularBundle:
    """What a bundle's fields are written from. ``last_wh`` is excluded."""

    holder_id: int
    state: str
    device_id: int
    technology: str
    capacity_w: int
    commissioned_on: date
    zone: str
    market: str
    starts_at: datetime
    ends_at: datetime
    first_wh: int
    last_wh: int


def granular_fields(bundle: GranularBundle) -> dict[str, Field]:
    """Return a bundle's fields by their names in the standard's data model."""
    start = _utc(bundle.starts_at)
    fields: dict[str, Field] = {
        "issuance_id": f"{bundle.device_id}-Electricity-{start}",
        "certificate_bundle_status": STATUSES[bundle.state],
        "account_id": bundle.holder_id,
        "certificate_bundle_id_range_start": bundle.first_wh,
        "certificate_bundle_id_range_end": bundle.last_wh - 1,
        "bundle_quantity": bundle.last_wh - bundle.first_wh,
        "energy_carrier": "Electricity",
        "energy_source": SOURCES[bundle.technology],
        "face_value": 1,
        "issuance_post_energy_carrier_conversion": False,
        "registry_configuration": 1,
        "device_id": bundle.device_id,
        "device_name": f"device {bundle.device_id}",
        "device_technology_type": DEVICE_TYPES[bundle.technology],
        "device_production_start_date": bundle.commissioned_on.isoformat(),
        "device_capacity": bundle.capacity_w,
        "device_location": None,
        "device_type": "Production",
        "production_starting_interval": start,
        "production_ending_interval": _utc(bundle.ends_at),
        "expiry_datestamp": None,
        "is_storage": False,
        "sdr_allocation_id": None,
        "discharging_start_datetime": None,
        "discharging_end_datetime": None,
        "storage_efficiency_factor": None,
        "country_of_issuance": None,
        "connected_grid_identification": bundle.zone,
        "issuing_body": bundle.market,
        "legal_status": None,
        "issuance_purpose": "Disclosure",
        "support_received": None,
        "quality_scheme_reference": None,
        "dissemination_level": "Injected into a public grid",
        "issue_market_zone": bundle.zone,
        "emissions_factor_production_device": None,
        "emissions_factor_source": None,
    }
    return {**fields, "hash": _hash(fields)}


def written_as_csv(bundles: Iterable[Mapping[str, Field]]) -> str:
    """Write bundles as CSV with a header; nothing for what is empty, true and false in words."""
    rows = list(bundles)
    names = list(rows[0]) if rows else list(_EMPTY)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(row[name]) for name in names] for row in rows)
    return text.getvalue()


def _cell(value: Field) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return plain_text(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _hash(fields: Mapping[str, Field]) -> str:
    fixed = {name: value for name, value in fields.items() if name not in MUTABLE}
    written = json.dumps(fixed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(written.encode()).hexdigest()


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


_ANY = datetime(1970, 1, 1, tzinfo=UTC)
_EMPTY: Final = granular_fields(
    GranularBundle(0, "active", 0, "solar", 1, _ANY.date(), "", "", _ANY, _ANY, 0, 1)
)
