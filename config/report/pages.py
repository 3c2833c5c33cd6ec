"""The city report as one HTML file: its style and pictures are inside, nothing is loaded."""

from pathlib import Path
from typing import Final

from django.template.loader import render_to_string
from django.utils.safestring import mark_safe

from config.report.contents import Report
from config.report.style import FOLDER

SHEETS: Final = ("tokens.css", "heliopolis.css", "tables.css", "charts.css", "print.css")


def report_html(report: Report) -> str:
    """Return a report as a page that can be kept, printed and read without the hall."""
    sheets = "\n".join(Path(FOLDER / name).read_text(encoding="utf-8") for name in SHEETS)
    # Our own style sheets; nothing that anybody wrote into a form is in them.
    style = mark_safe(sheets)  # noqa: S308 - see above
    return render_to_string("report/report.html", {"report": report, "style": style})
