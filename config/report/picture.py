"""Draw a chart of the pages on paper: the same markup, its style resolved, in absolute places."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from xml.etree.ElementTree import Element
from xml.sax.saxutils import quoteattr

import cssselect2
from defusedxml.ElementTree import fromstring

from config.report.style import Sheet, Style, chart_sheet, pixels
from config.web.chart_cards import LegendItem

if TYPE_CHECKING:
    from fpdf import FPDF

WIDTH: Final = 680.0
# The axis has 2.75 rem, one of names 5.25, and half a rem of air: see ``div.chart`` of the sheet.
AXIS_WIDTH: Final = 44.0
NAMES_WIDTH: Final = 84.0
AXIS_GAP: Final = 8.0
LEAF_WIDTH: Final = 200.0
LEAF_GAP: Final = 22.0
# Small multiples stand two abreast, each below its words.
SPARKS_ABREAST: Final = 2
SPARK_WORDS: Final = 20.0
SPARK_SIZE: Final = 13.0
HATCHED: Final = "#eadfcd"
INK: Final = "#2a2420"
# Places and lengths across and down of the shapes that charts are made of.
_ACROSS: Final = {"rect": ("x",), "line": ("x1", "x2"), "circle": ("cx",)}
_DOWN: Final = {"rect": ("y",), "line": ("y1", "y2"), "circle": ("cy",)}
_STEP: Final = re.compile(r"([MLCHVZ])([^MLCHVZ]*)")
# A sign that asks for a letter in the place of a picture; fonts on paper have no sign for it.
_AS_LETTER: Final = "\N{VARIATION SELECTOR-15}"


@dataclass(frozen=True)
class Words:
    """A text at its place. [px]"""

    text: str
    x: float
    y: float
    size: float
    anchor: str
    fill: str
    halo: str


@dataclass(frozen=True)
class Box:
    """A part of the picture that has its own percentages. [px]"""

    x: float
    y: float
    width: float
    height: float
    scale_x: float = 1.0
    scale_y: float = 1.0


@dataclass
class Picture:
    """A chart in absolute places: shapes as SVG, texts apart. [px]"""

    width: float
    height: float
    shapes: list[str] = field(default_factory=list)
    words: list[Words] = field(default_factory=list)

    @property
    def svg(self) -> str:
        """The shapes as a drawing of its own."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} '
            f'{self.height:g}">{"".join(self.shapes)}</svg>'
        )


def resolve(markup: str, *, width: float = WIDTH, sheet: Sheet | None = None) -> Picture:
    """Return a chart with every percentage, class and colour resolved.

    Parameters
    ----------
    markup : str
        What a function of `config.web.charts` or `config.web.chart_kinds` returned.
    width : float
        How wide the picture is to be. [px]
    """
    root = cssselect2.ElementWrapper.from_html_root(fromstring(markup))
    picture = Picture(width, 0.0)
    drawer = _Drawer(picture, sheet or chart_sheet())
    frames = _sparks(root, picture) if "sparks" in root.classes else _frames(root, width)
    for child, box in frames:
        drawer.draw(child, box, {})
        picture.height = max(picture.height, box.y + box.height)
    return picture


def draw(pdf: FPDF, markup: str, *, font: str) -> None:
    """Draw a chart over the whole width of the page, and go below it."""
    from fpdf.svg import SVGObject

    picture = resolve(markup)
    if not picture.shapes:
        return
    mm = pdf.epw / picture.width
    if pdf.get_y() + picture.height * mm > pdf.h - pdf.b_margin:
        pdf.add_page()
    left, top = pdf.l_margin, pdf.get_y()
    shapes = SVGObject(picture.svg)
    _, _, group = shapes.transform_to_rect_viewport(
        scale=1, width=pdf.epw, height=picture.height * mm, ignore_svg_top_attrs=True
    )
    with pdf.drawing_context() as context:
        from fpdf.drawing_primitives import Transform

        group.transform = (group.transform or Transform.identity()) @ Transform.translation(
            left, top
        )
        context.add_item(group)
    for each in picture.words:
        pdf.set_font(font, size=each.size * mm / 0.352_778)
        pdf.set_text_color(*_rgb(each.fill))
        wide = pdf.get_string_width(each.text)
        shift = {"middle": wide / 2, "end": wide}.get(each.anchor, 0.0)
        x, y = left + each.x * mm - shift, top + each.y * mm
        if each.halo:
            with pdf.local_context(text_mode="STROKE", line_width=0.7):
                pdf.set_draw_color(255)
                pdf.text(x, y, each.text)
        pdf.text(x, y, each.text)
    pdf.set_y(top + picture.height * mm + 2)


def height_mm(pdf: FPDF, markup: str) -> float:
    """Return how much of a page a chart takes. [mm]"""
    picture = resolve(markup)
    return picture.height * pdf.epw / picture.width


def colour_of(item: LegendItem) -> tuple[int, int, int]:
    """Return the colour of what a legend names."""
    if "held" in item.css.split():
        return _rgb(HATCHED)
    if item.is_line:
        shape, name = f'<g class="stairs {item.css}"><line x1="0" x2="1"/></g>', "stroke"
    else:
        shape, name = f'<rect class="{item.css}" width="1" height="1"/>', "fill"
    [drawn] = resolve(f'<svg class="chart legend" height="1">{shape}</svg>').shapes
    found = re.search(rf'{name}="(#[0-9a-fA-F]+)"', drawn)
    return _rgb(found.group(1)) if found else (0, 0, 0)


class _Drawer:
    def __init__(self, picture: Picture, sheet: Sheet) -> None:
        self._picture, self._sheet = picture, sheet

    def draw(self, element: Any, box: Box, inherited: Style) -> None:
        """Draw an element and what is within it."""
        tag = element.local_name
        if tag in ("title", "defs", "desc"):
            return
        style = self._sheet.of(element, inherited)
        if tag == "text":
            self._text(element, box, style)
        elif tag in ("svg", "g"):
            within = _within(element.etree_element, box) if tag == "svg" else box
            for child in element.iter_children():
                self.draw(child, within, style)
        else:
            self._shape(element.etree_element, tag, box, style)

    def _shape(self, element: Element, tag: str, box: Box, style: Style) -> None:
        attributes = {**_places(element, tag, box), **_paint(style)}
        drawn = " ".join(f"{name}={quoteattr(value)}" for name, value in attributes.items())
        self._picture.shapes.append(f"<{tag} {drawn}/>")

    def _text(self, element: Any, box: Box, style: Style) -> None:
        at = element.etree_element
        x = box.x + box.scale_x * pixels(at.get("x", "0"), box.width)
        y = box.y + box.scale_y * pixels(at.get("y", "0"), box.height)
        text = _text_of(at)
        if text and style.get("display") != "none":
            self._picture.words.append(
                Words(
                    text,
                    x,
                    y,
                    pixels(style.get("font-size", "12px")),
                    style.get("text-anchor", "start"),
                    style.get("fill", "#000000"),
                    style.get("stroke", "") if style.get("paint-order") == "stroke" else "",
                )
            )


def _text_of(element: Element) -> str:
    """Return what a text says; what it says only to those who point at it stands aside."""
    parts = [element.text or ""]
    for child in element:
        if not child.tag.endswith("title"):
            parts.append("".join(child.itertext()))
        parts.append(child.tail or "")
    return " ".join("".join(parts).replace(_AS_LETTER, "").split())


def _places(element: Element, tag: str, box: Box) -> dict[str, str]:
    """Return where a shape is, in pixels of the whole picture."""
    places = {}
    for name in _ACROSS.get(tag, ()):
        places[name] = box.x + box.scale_x * pixels(element.get(name, "0"), box.width)
    for name in _DOWN.get(tag, ()):
        places[name] = box.y + box.scale_y * pixels(element.get(name, "0"), box.height)
    if tag == "rect":
        places["width"] = box.scale_x * pixels(element.get("width", "0"), box.width)
        places["height"] = box.scale_y * pixels(element.get("height", "0"), box.height)
        places["rx"] = pixels(element.get("rx", "0"))
    elif tag == "circle":
        places["r"] = pixels(element.get("r", "0"))
    drawn = {name: f"{value:.3f}" for name, value in places.items()}
    if tag == "path":
        drawn["d"] = _moved(element.get("d", ""), box)
    elif tag in ("polyline", "polygon"):
        numbers = _numbers(element.get("points", ""))
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        drawn["points"] = " ".join(_point(x, y, box) for x, y in pairs)
    return drawn


def _moved(path: str, box: Box) -> str:
    """Return a path of absolute steps in pixels of the whole picture."""
    steps = []
    for letter, rest in _STEP.findall(path):
        numbers = _numbers(rest)
        if letter == "H":
            moved = " ".join(f"{box.x + box.scale_x * x:.3f}" for x in numbers)
        elif letter == "V":
            moved = " ".join(f"{box.y + box.scale_y * y:.3f}" for y in numbers)
        else:
            pairs = zip(numbers[::2], numbers[1::2], strict=True)
            moved = " ".join(_point(x, y, box) for x, y in pairs)
        steps.append(f"{letter}{moved}")
    return "".join(steps)


def _point(x: float, y: float, box: Box) -> str:
    return f"{box.x + box.scale_x * x:.3f} {box.y + box.scale_y * y:.3f}"


def _numbers(text: str) -> list[float]:
    return [float(each) for each in re.findall(r"-?[\d.]+", text)]


def _frames(root: Any, width: float) -> Iterator[tuple[Any, Box]]:
    """Yield the drawings of a chart with the room of each, as the style sheet lays them out."""
    if root.local_name == "svg":
        yield root, Box(0, 0, width, _height(root))
        return
    # Words between drawings are set by a browser alone; the table beside the chart has the figures.
    drawings = [each for each in root.iter_children() if each.local_name == "svg"]
    css = root.classes
    if "calendar" in css:
        across = max(1, int((width + LEAF_GAP) // (LEAF_WIDTH + LEAF_GAP)))
        leaf = (width - LEAF_GAP * (across - 1)) / across
        top = 0.0
        for first in range(0, len(drawings), across):
            row = drawings[first : first + across]
            for index, each in enumerate(row):
                yield each, Box(index * (leaf + LEAF_GAP), top, leaf, _height(each))
            top += max(_height(each) for each in row) + LEAF_GAP
        return
    left = 0.0
    for each in drawings:
        axis = NAMES_WIDTH if "named" in css else AXIS_WIDTH
        wide = axis if "chart-axis" in each.classes else width - left
        yield each, Box(left, 0, wide, _height(each))
        left += wide + AXIS_GAP


def _sparks(root: Any, picture: Picture) -> Iterator[tuple[Any, Box]]:
    """Yield the lines of small multiples, and write the name and figure above each."""
    wide = (picture.width - LEAF_GAP * (SPARKS_ABREAST - 1)) / SPARKS_ABREAST
    top, tall = 0.0, 0.0
    for index, cell in enumerate(root.iter_children()):
        if index and index % SPARKS_ABREAST == 0:
            top += tall
        left = index % SPARKS_ABREAST * (wide + LEAF_GAP)
        words = [_text_of(each.etree_element) for each in cell.iter_children()]
        [line] = [each for each in cell.iter_children() if each.local_name == "svg"]
        text = " ".join(each for each in words if each)
        picture.words.append(Words(text, left, top + SPARK_SIZE, SPARK_SIZE, "start", INK, ""))
        tall = SPARK_WORDS + _height(line) + LEAF_GAP / 2
        yield line, Box(left, top + SPARK_WORDS, wide, _height(line))


def _within(element: Element, box: Box) -> Box:
    """Return the room of a drawing within another, or of the outermost one."""
    width = pixels(element.get("width", "100%"), box.width)
    height = pixels(element.get("height", "100%"), box.height)
    x = box.x + pixels(element.get("x", "0"), box.width)
    y = box.y + pixels(element.get("y", "0"), box.height)
    view = element.get("viewBox")
    if view is None:
        return Box(x, y, width, height)
    view_x, view_y, view_width, view_height = (float(part) for part in view.split())
    scale_x, scale_y = width / view_width, height / view_height
    if element.get("preserveAspectRatio") != "none":
        scale_x = scale_y = min(scale_x, scale_y)
    return Box(
        x - view_x * scale_x, y - view_y * scale_y, view_width, view_height, scale_x, scale_y
    )


def _height(element: Any) -> float:
    at = element.etree_element
    return pixels(at.get("height") or at.get("viewBox", "0 0 0 100").split()[3])


def _paint(style: Style) -> dict[str, str]:
    fill = style.get("fill", "#000000")
    paint = {
        "fill": HATCHED if fill.startswith("url(") else fill,
        "stroke": style.get("stroke", "none"),
        "stroke-width": str(pixels(style.get("stroke-width", "1"))),
    }
    if "stroke-dasharray" in style:
        paint["stroke-dasharray"] = style["stroke-dasharray"]
    if "opacity" in style:
        paint["opacity"] = style["opacity"]
    return paint


def _rgb(colour: str) -> tuple[int, int, int]:
    digits = colour.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(2 * digit for digit in digits)
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)
