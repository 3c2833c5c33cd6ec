"""Words of the data market that several pages use."""

from typing import Final

import h3
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from marketplace.domain.data.wishes import MICRODEGREES

FORMAT_LABELS: Final = {
    "trips": gettext_lazy("Trips"),
    "counts": gettext_lazy("Traffic counts"),
    "gtfs": gettext_lazy("Timetables (GTFS)"),
    "gtfs-rt": gettext_lazy("Live public transport (GTFS-Realtime)"),
    "gbfs": gettext_lazy("Shared vehicles (GBFS)"),
    "datex": gettext_lazy("Measured traffic (DATEX II)"),
}
KIND_LABELS: Final = {1: gettext_lazy("File"), 2: gettext_lazy("Live feed")}
RESOLUTION_LABELS: Final = {
    0: gettext_lazy("single events"),
    60: gettext_lazy("1 minute"),
    300: gettext_lazy("5 minutes"),
    900: gettext_lazy("15 minutes"),
    1_800: gettext_lazy("30 minutes"),
    3_600: gettext_lazy("1 hour"),
    86_400: gettext_lazy("1 day"),
}


def duration(seconds: int) -> str:
    """Write a length of time in its largest whole unit."""
    for length in (86_400, 3_600, 60):
        if seconds >= length and seconds % length == 0:
            n = seconds // length
            break
    else:
        length, n = 1, seconds
    written = {
        86_400: ngettext("{n} day", "{n} days", n),
        3_600: ngettext("{n} hour", "{n} hours", n),
        60: ngettext("{n} minute", "{n} minutes", n),
        1: ngettext("{n} second", "{n} seconds", n),
    }
    return written[length].format(n=n)


def area_label(name: str) -> str:
    """Return where an area lies, for those who do not read names of H3 cells."""
    if not h3.is_valid_cell(name):
        return name
    latitude, longitude = h3.cell_to_latlng(name)
    north = f"{abs(latitude):.3f}° {'N' if latitude >= 0 else 'S'}"
    return f"{north}, {abs(longitude):.3f}° {'E' if longitude >= 0 else 'W'}"


def area_digits(name: str) -> str:
    """Return where an area lies in two decimals, for a picture without room for more."""
    if not h3.is_valid_cell(name):
        return name
    return ", ".join(
        f"{each:.2f}".replace("-", "\N{MINUS SIGN}") for each in h3.cell_to_latlng(name)
    )


def area(west: int, south: int, east: int, north: int) -> str:
    """Write a box of microdegrees, with so many decimals that its edges differ."""
    least = min(east - west, north - south)
    decimals = next((n for n in (2, 3, 4) if least >= 10 ** (7 - n)), 5)
    return _("{west} to {east} E, {south} to {north} N").format(
        west=_degrees(west, decimals),
        east=_degrees(east, decimals),
        south=_degrees(south, decimals),
        north=_degrees(north, decimals),
    )


def _degrees(micro: int, decimals: int) -> str:
    return f"{micro / MICRODEGREES:.{decimals}f}".replace("-", "\N{MINUS SIGN}") + "°"
