"""The data dictionary's words: what a known column means; pages translate them."""

from __future__ import annotations

from gate.errors import gettext_noop

MEANINGS: dict[str, str] = {
    "trip": gettext_noop("Number of the trip"),
    "start": gettext_noop("When the trip began"),
    "end": gettext_noop("When the trip ended"),
    "from": gettext_noop("Where the trip began: station or area"),
    "to": gettext_noop("Where the trip ended: station or area"),
    "vehicle": gettext_noop("Number of the vehicle"),
    "person": gettext_noop("Number of the person"),
    "duration": gettext_noop("How long the trip took, in seconds"),
    "site": gettext_noop("Number of the detector or station"),
    "time": gettext_noop("Begin of the interval that was counted"),
    "count": gettext_noop("Vehicles counted in the interval"),
    "lat": gettext_noop("Latitude, in degrees north"),
    "lon": gettext_noop("Longitude, in degrees east"),
    "flow": gettext_noop("Vehicles per hour"),
    "speed": gettext_noop("Average speed, in km/h"),
    "occupancy": gettext_noop("Share of time the detector was covered, in percent"),
    "status": gettext_noop("Whether the value is good, or why not"),
    "name": gettext_noop("Name"),
    "capacity": gettext_noop("Docks or places of the station"),
    "available": gettext_noop("Vehicles ready to take"),
    "docks": gettext_noop("Docks free for a return"),
}
