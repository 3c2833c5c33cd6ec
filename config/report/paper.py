"""The city report as PDF: text that can be searched, pictures as shapes, tables behind them."""

from collections.abc import Sequence
from typing import Final

from django.utils.translation import gettext as _
from fpdf import FPDF
from fpdf.enums import TableBordersLayout
from fpdf.fonts import FontFace
from pylopdf_fonts_zh_cn import sans_path

from config.report.contents import Report
from config.report.picture import colour_of, draw, height_mm
from config.web.chart_cards import ChartCard, LegendItem
from config.web.city.cards import Section
from config.web.pdf_pages import FONT, INK, LINE, SOFT, SUN, write

# Longer tables stand in the files that come with the report; a page is for reading.
ROWS_MOST: Final = 40
COLUMNS_MOST: Final = 9
SWATCH: Final = 3.4
# Air between the columns of a table, and the part of the page that the narrowest takes. [mm]
CELL_AIR: Final = 9.0
NARROWEST: Final = 0.45


class Paper(FPDF):
    """A4 pages that carry what they are of, and their number."""

    def __init__(self, foot: str) -> None:
        super().__init__(format="A4")
        self._foot = foot
        self.add_font(FONT, fname=sans_path())
        self.set_margins(15, 16, 15)
        self.set_auto_page_break(True, margin=20)

    def normalize_text(self, text: str) -> str:
        """Return a text in signs that the font has."""
        return super().normalize_text(text.replace("\N{SUBSCRIPT TWO}", "2"))

    def footer(self) -> None:
        """Write the report's name, data version and page below each page."""
        self.set_y(-14)
        self.set_font(FONT, size=7.5)
        self.set_text_color(*SOFT)
        self.cell(self.epw - 20, 4, self._foot)
        self.cell(20, 4, f"{self.page_no()} / {{nb}}", align="R")


def report_pdf(report: Report) -> bytes:
    """Return a report as an A4 document."""
    pdf = Paper(f"{report.title} · {report.period} · {report.version}")
    pdf.set_title(f"{report.title} {report.period}")
    pdf.set_lang(report.language)
    pdf.set_creation_date(report.made_at)
    pdf.add_page()
    _cover(pdf, report)
    for part in report.parts:
        for index, section in enumerate(part.sections):
            below = _room(pdf, section)
            if not index:
                _heading(pdf, part.heading, size=17, below=below + 16)
            _heading(pdf, section.heading, size=13, level=1, below=below)
            for words in section.words:
                write(pdf, words, size=9.5)
            for card in section.cards:
                _card(pdf, card.chart)
    _heading(pdf, _("Methods"), size=17)
    for name, text in report.methods:
        _keep(pdf, 16)
        write(pdf, name, size=10, colour=SUN, leading=5.6)
        write(pdf, text, size=9, leading=4.8)
        pdf.ln(1.5)
    return bytes(pdf.output())


def _cover(pdf: Paper, report: Report) -> None:
    write(pdf, _("Heliopolis"), size=11, colour=SUN)
    write(pdf, report.title, size=24, leading=11)
    write(pdf, report.period, size=13, leading=7)
    pdf.ln(4)
    for sentence in report.findings:
        write(pdf, f"• {sentence}", size=10.5, leading=6)
    pdf.ln(4)
    pdf.set_draw_color(*LINE)
    for name, text in report.facts:
        top = pdf.get_y()
        pdf.set_font(FONT, size=8.5)
        pdf.set_text_color(*SOFT)
        pdf.multi_cell(46, 4.8, name, align="L", new_x="RIGHT", new_y="TOP")
        pdf.set_text_color(*INK)
        pdf.multi_cell(0, 4.8, text, align="L", new_x="LMARGIN", new_y="NEXT")
        pdf.line(pdf.l_margin, pdf.get_y() + 0.4, pdf.w - pdf.r_margin, pdf.get_y() + 0.4)
        pdf.set_y(max(pdf.get_y(), top + 4.8) + 1.2)


def _room(pdf: Paper, section: Section) -> float:
    """Return how much of a page the first thing below a heading takes. [mm]"""
    if section.words or not section.cards:
        return 20.0
    return _room_of(pdf, section.cards[0].chart)


def _room_of(pdf: Paper, chart: ChartCard) -> float:
    return min((height_mm(pdf, chart.svg) if chart.svg else 0.0) + 18, pdf.eph - 32)


def _heading(pdf: Paper, words: str, *, size: float, level: int = 0, below: float = 32) -> None:
    pdf.ln(4)
    _keep(pdf, below + 12)
    pdf.start_section(words, level=level)
    write(pdf, words, size=size, colour=SUN if level else INK, leading=size * 0.53)


def _card(pdf: Paper, chart: ChartCard) -> None:
    pdf.ln(3)
    _keep(pdf, _room_of(pdf, chart))
    write(pdf, chart.title, size=11.5, leading=6.2)
    pdf.ln(1)
    if chart.svg:
        draw(pdf, chart.svg, font=FONT)
    if chart.legend:
        _legend(pdf, chart.legend)
    if chart.note:
        write(pdf, chart.note, size=8, colour=SOFT, leading=4.2)
    if chart.rows:
        _table(pdf, chart)


def _legend(pdf: Paper, items: Sequence[LegendItem]) -> None:
    pdf.set_font(FONT, size=8)
    pdf.set_text_color(*INK)
    for item in items:
        wide = pdf.get_string_width(item.label) + SWATCH + 6
        if pdf.get_x() + wide > pdf.w - pdf.r_margin:
            pdf.ln(5)
        pdf.set_fill_color(*colour_of(item))
        thick = 0.7 if item.is_line else 2.6
        pdf.rect(pdf.get_x(), pdf.get_y() + 2.2 - thick / 2, SWATCH, thick, style="F")
        pdf.set_x(pdf.get_x() + SWATCH + 1.2)
        pdf.cell(wide - SWATCH, 4.6, item.label)
    pdf.ln(5.4)


def _table(pdf: Paper, chart: ChartCard) -> None:
    if len(chart.columns) > COLUMNS_MOST:
        write(pdf, _("The table stands in the files of this report."), size=8, colour=SOFT)
        return
    rows = chart.rows[:ROWS_MOST]
    pdf.ln(1)
    pdf.set_fill_color(255)
    pdf.set_font(FONT, size=7.6)
    pdf.set_text_color(*INK)
    pdf.set_draw_color(*LINE)
    align = ("LEFT", *["RIGHT"] * (len(chart.columns) - 1))
    natural = [
        max(pdf.get_string_width(str(cells[at])) for cells in (chart.columns, *rows)) + CELL_AIR
        for at in range(len(chart.columns))
    ]
    with pdf.table(
        # Who reads along a line must not lose it: a table is no wider than its words ask for.
        width=min(pdf.epw, max(sum(natural), pdf.epw * NARROWEST)),
        col_widths=[round(each, 1) for each in natural],
        align="LEFT",
        borders_layout=TableBordersLayout.HORIZONTAL_LINES,
        headings_style=FontFace(emphasis="", color=SOFT),
        line_height=4,
        text_align=align,
        padding=0.4,
    ) as table:
        for cells in (chart.columns, *rows):
            table.row([str(cell) for cell in cells])
    if len(chart.rows) > ROWS_MOST:
        more = _("{count} more rows stand in the files of this report.")
        write(pdf, more.format(count=len(chart.rows) - ROWS_MOST), size=8, colour=SOFT)


def _keep(pdf: Paper, height: float) -> None:
    """Begin a page unless so much is left of this one. [mm]"""
    if pdf.get_y() + height > pdf.h - pdf.b_margin:
        pdf.add_page()
