"""Pricings compared: asked for, computed in the background, one's own or, to operators, all."""

import re

import pytest

from marketplace.models import PricingComparison
from marketplace.services.pricing_comparison import compute_asked_comparisons
from tests.web.city import HOMES, NOW, City, signed_in


def path(city: City, name: str) -> str:
    return f"/participant/{city.participant_ids[name]}/comparison/?month=2026-06"


def test_a_month_is_asked_for_computed_and_shown(city: City) -> None:
    alice, olga = signed_in("alice"), signed_in("olga")
    assert "Not computed yet" in alice.get(path(city, "alice")).content.decode()
    asked = alice.post(path(city, "alice"), follow=True).content.decode()
    assert "Being computed" in asked and "<progress" in asked
    assert PricingComparison.objects.count() == 1
    compute_asked_comparisons(now=NOW)

    own = alice.get(path(city, "alice")).content.decode()
    assert "My month under each pricing" in own and "Middle of the tariffs" in own
    check_picture(own)
    for stranger in HOMES[1:]:
        assert stranger not in own
    everybody = olga.get(path(city, "olga")).content.decode()
    for home in HOMES:
        assert home.replace("'", "&#x27;") in everybody
    sums = everybody[everybody.index("<tfoot>") :]
    assert sums.count(">0.000000<") == 8


def check_picture(page: str) -> None:
    """Hold the picture against its table: a bar for all but the grid alone, told in words too."""
    picture = page[page.index('<svg class="chart pricings"') :]
    picture = picture[: picture.index("</svg>")]
    figures = re.findall(r'pricing-figure"[^>]*>([^<]+)<', picture)
    table = [re.findall(r'<td class="n">([^<]+)<', row) for row in page.split("<tr")]
    shown = [cells[1] for cells in table if len(cells) == 3]
    assert [each for each in shown if each != "–"] == figures and len(figures) == 7
    told = re.findall(r'aria-label="([^"]+)"', picture)[0]
    assert all(figure in told for figure in figures)
    assert figures[0] == figures[1] and figures[0].startswith("+¥")  # uniform is in force
    widths = [float(width) for width in re.findall(r'<rect[^>]* width="([\d.]+)%"', picture)]
    most = max(range(7), key=lambda at: float(figures[at][2:]))
    assert widths[most] == 100.0


@pytest.mark.parametrize("name", ["bob", "paul", "dora", "charlie"])
def test_nobody_else_sees_it(city: City, name: str) -> None:
    assert signed_in(name).get(path(city, "alice")).status_code == 404
    assert signed_in(name).get(path(city, "olga")).status_code == 404
    if name == "paul":
        assert signed_in(name).get(path(city, "paul")).status_code == 404
