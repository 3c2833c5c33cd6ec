"""Cities and regions that an area may be picked by: boxes in whole tenths of a degree."""

from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext_lazy

from marketplace.domain.data.wishes import Area

_TENTH: Final = 100_000


@dataclass(frozen=True)
class NamedArea:
    """An area with its name in the reader's language."""

    slug: str
    name: Any
    area: Area


def _named(slug: str, name: Any, *edges: int) -> NamedArea:
    """Return an area by west, south, east, north. [tenths of a degree]"""
    return NamedArea(slug, name, Area(*(edge * _TENTH for edge in edges)))


_ALL: Final = (
    _named("beijing", gettext_lazy("Beijing"), 1156, 394, 1171, 406),
    _named("berlin", gettext_lazy("Berlin"), 130, 523, 138, 527),
    _named("cairns", gettext_lazy("Cairns"), 1455, -173, 1460, -166),
    _named("greater-bay", gettext_lazy("Guangdong-Hong Kong-Macao Bay"), 1125, 217, 1147, 236),
    _named("london", gettext_lazy("London"), -6, 512, 4, 517),
    _named("melbourne", gettext_lazy("Melbourne"), 1444, -385, 1455, -374),
    _named("new-york", gettext_lazy("New York"), -743, 404, -736, 410),
    _named("oslo", gettext_lazy("Oslo"), 104, 597, 111, 601),
    _named("paris", gettext_lazy("Paris"), 20, 486, 27, 491),
    _named("san-francisco-bay", gettext_lazy("San Francisco Bay Area"), -1230, 371, -1215, 383),
    _named("shanghai", gettext_lazy("Shanghai"), 1208, 306, 1222, 319),
    _named("tokyo", gettext_lazy("Tokyo"), 1389, 354, 1401, 361),
)
NAMED_AREAS: Final = {each.slug: each for each in _ALL}
