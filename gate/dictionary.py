"""The data dictionary of the table of counts: what each column means, for people and programs."""

from __future__ import annotations

from typing import Any, Final

from gate.errors import gettext_noop
from gate.flows import COUNT_COLUMN, columns_of
from gate.manifest import canonical_json
from gate.policy import Policy

DICTIONARY_PART: Final = "dictionary.json"
# Key of the meaning to its text; pages translate the text.
FLOW_MEANINGS: Final = {
    "period_start": gettext_noop("Begin of the period, on the clock of the time zone given"),
    "period": gettext_noop("Length of the period that the trips began in"),
    "area_level": gettext_noop("Kind of both areas: H3 resolution, station, or everything"),
    "from_area": gettext_noop("Area where the trips began; areas.csv says which stations it holds"),
    "to_area": gettext_noop("Area where the trips ended"),
    "kept": gettext_noop("A kind that the provider kept"),
    "trips": gettext_noop("Number of trips; a cell that is absent held too few, or none"),
}


def dictionary_of(policy: Policy) -> dict[str, Any]:
    """Return the dictionary as JSON values."""
    kinds = {"period_start": "timestamp", COUNT_COLUMN: "integer"}
    return {
        "type": "heliopolis/dictionary/1",
        "zone": policy.zone,
        "columns": [
            {
                "name": name,
                "type": kinds.get(name, "text"),
                "meaning": name if name in FLOW_MEANINGS else "kept",
                "text": FLOW_MEANINGS.get(name, FLOW_MEANINGS["kept"]),
            }
            for name in columns_of(policy)
        ],
        "rule": gettext_noop(
            "Each trip is counted once, at the first level whose cell is large enough;"
            " longer periods hold only what was left over."
        ),
    }


def dictionary_bytes(policy: Policy) -> bytes:
    """Return the part ``dictionary.json``."""
    return canonical_json(dictionary_of(policy))
