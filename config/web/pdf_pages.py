"""Pages of a PDF. The font is inside of the file, so that Chinese reads on every machine."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fpdf import FPDF

FONT = "NotoSansSC"
_BESIDE_CHINESE = re.compile(r"(?<=[\u2e80-\uffef]) | (?=[\u2e80-\uffef])")
INK, SOFT, LINE, SUN = (42, 36, 32), (110, 100, 92), (205, 195, 184), (176, 92, 20)


def new_document(title: str, *, made_at: datetime) -> FPDF:
    """Begin a document on A4 whose text can be searched and copied."""
    # Half a second of imports that only who wants a PDF should wait for.
    from fpdf import FPDF
    from pylopdf_fonts_zh_cn import sans_path

    pdf = FPDF(format="A4")
    pdf.add_font(FONT, fname=sans_path())
    pdf.set_title(title)
    pdf.set_creation_date(made_at)
    pdf.set_margins(15, 16, 15)
    pdf.set_auto_page_break(True, margin=18)
    pdf.add_page()
    return pdf


def write(
    pdf: FPDF,
    text: str,
    *,
    size: float,
    colour: tuple[int, int, int] = INK,
    leading: float = 5.4,
) -> None:
    """Write a paragraph over the whole width. Size in points, leading in mm."""
    pdf.set_font(FONT, size=size)
    pdf.set_text_color(*colour)
    pdf.multi_cell(0, leading, _unbroken(text), align="L", new_x="LMARGIN", new_y="NEXT")


def _unbroken(text: str) -> str:
    """Return a text whose lines do not end beside a number because a space stands there.

    Chinese breaks after any character: a line that ends at its last space instead may hold half
    of what it has room for.
    """
    return _BESIDE_CHINESE.sub("\N{NO-BREAK SPACE}", text)
