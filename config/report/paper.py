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
from config.web.pdf_pages import FONT, INK, LINE, SOFT, SUN, write

# Longer tables stand in the files that come with the report; a page is for reading.
ROWS_MOST: Final = 40
COLUMNS_MOST: Final = 9
SWATCH: Final = 3.4


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
        _heading(pdf, part.heading, size=17)
        for section in part.sections:
            _heading(pdf, section.heading, size=13, level=1)
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


def _heading(pdf: Paper, words: str, *, size: float, level: int = 0) -> None:
    pdf.ln(4)
    _keep(pdf, 44)
    pdf.start_section(words, level=level)
    write(pdf, words, size=size, colour=SUN if level else INK, leading=size * 0.53)


def _card(pdf: Paper, chart: ChartCard) -> None:
    picture = height_mm(pdf, chart.svg) if chart.svg else 0.0
    pdf.ln(3)
    _keep(pdf, min(picture + 18, pdf.eph))
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
    with pdf.table(
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
