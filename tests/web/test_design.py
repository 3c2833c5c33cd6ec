"""The design system, checked from its own files: contrast, colour blindness, labelled tables."""

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings
from numpy.typing import NDArray

from config.templatetags.tables import labelled

STYLES = Path(settings.BASE_DIR) / "config" / "static" / "heliopolis"
TEMPLATES = Path(settings.BASE_DIR) / "config" / "templates"
SURFACES = ("paper", "card", "sun-wash", "alarm-wash", "line-soft")
WORDS = ("ink", "ink-soft", "sun-deep", "ember", "alarm")
MARKS = ("pool", "grid", "grid-deep", "leaf", "ember", "sun-deep", *(f"c{n}" for n in range(1, 7)))
FLOAT = NDArray[np.float64]
# After G. M. Machado, M. M. Oliveira and L. A. F. Fernandes, "A physiologically-
# based model for simulation of color vision deficiency", IEEE TVCG 15(6), 2009: severity 1.
VIEWS = {
    "everybody": np.eye(3),
    "protan": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deutan": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritan": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
# Two colours this far apart in CIELAB are told apart at a glance, also in small marks.
APART = 25.0


def tokens(scheme: str) -> dict[str, str]:
    """Return the colours of a scheme; the night's are laid over the day's."""
    day, night = (STYLES / "tokens.css").read_text(encoding="utf-8").split("@media", 1)
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", day))
    if scheme == "dark":
        found |= dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", night))
    return found


def linear(colour: str) -> FLOAT:
    parts = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """Return the ratio of WCAG 2.2."""
    low, high = sorted(float(linear(each) @ [0.2126, 0.7152, 0.0722]) for each in (one, other))
    return (high + 0.05) / (low + 0.05)


def lab(light: FLOAT) -> FLOAT:
    matrix = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = matrix @ np.clip(light, 0, 1) / [0.9505, 1, 1.089]
    root = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * root[1] - 16, 500 * (root[0] - root[1]), 200 * (root[1] - root[2])])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_and_marks_stand_out_from_what_they_lie_on(scheme: str) -> None:
    colours = tokens(scheme)
    pairs = [(word, surface, 4.5) for word in WORDS for surface in SURFACES]
    pairs += [("leaf", surface, 4.5) for surface in ("paper", "card")]
    pairs += [("on-sun", "sun-deep", 4.5), ("card", "ember", 4.5), ("paper", "ink", 4.5)]
    pairs += [(f"on-{shade}", f"shade-{shade}", 4.5) for shade in range(1, 6)]
    pairs += [(mark, "card", 3.0) for mark in MARKS]

    weak = [
        (word, surface, round(contrast(colours[word], colours[surface]), 2))
        for word, surface, least in pairs
        if contrast(colours[word], colours[surface]) < least
    ]
    assert weak == []


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_kinds_are_told_apart_by_colour_blind_people(scheme: str, view: str) -> None:
    colours = tokens(scheme)
    seen = {name: lab(VIEWS[view] @ linear(colours[name])) for name in colours if name[0] != "-"}
    kinds = [*combinations([f"c{number}" for number in range(1, 7)], 2), ("pool", "grid-deep")]
    near = [
        (one, other)
        for one, other in kinds
        if float(np.linalg.norm(seen[one] - seen[other])) < APART
    ]
    assert near == []
    # More is always darker by day and brighter by night, so that a ramp also reads in grey.
    lights = [float(seen[f"shade-{number}"][0]) for number in range(1, 6)]
    steps = np.diff(lights) * (1 if scheme == "dark" else -1)
    assert (steps > 7).all()


def test_every_colour_of_a_sheet_is_a_token() -> None:
    """A colour written into a sheet would not follow the night."""
    white = {"receipts.css"}  # a code to scan is black on white, by night as well
    stray = {
        sheet.name: found
        for sheet in STYLES.glob("*.css")
        if sheet.name not in {"tokens.css", *white}
        and (found := re.findall(r"#[0-9a-fA-F]{3,6}\b", sheet.read_text(encoding="utf-8")))
    }
    assert stray == {}


def test_a_cell_of_a_stacked_table_says_its_column() -> None:
    table = (
        '<table class="stack"><thead><tr><th>Day</th><th class="n">Bought &amp; <b>used</b></th>'
        '<th colspan="2">Price</th></tr></thead><tbody><tr><th scope="row">1 May</th>'
        '<td class="n">3</td><td>4</td><td data-label="mine">5</td></tr>'
        '<tr><td colspan="4">none</td></tr></tbody></table>'
    )
    assert re.findall(r"<t[dh][^>]*>", labelled(table).split("</thead>")[1]) == [
        '<th scope="row">',
        '<td class="n" data-label="Bought &amp; used">',
        '<td data-label="Price">',
        '<td data-label="mine">',
        '<td colspan="4">',
    ]
    assert labelled("<p>no table</p>") == "<p>no table</p>"
