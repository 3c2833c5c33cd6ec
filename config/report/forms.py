"""A report in each of its forms. What a form needs is imported only by who wants that form."""

from collections.abc import Mapping
from io import BytesIO
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile

from config.report.contents import Report

TO_READ: Final = ("html", "pdf")
TO_COMPUTE: Final = ("csv", "parquet")


def read_as(report: Report, form: str) -> bytes:
    """Return a report as one file for people: ``html`` or ``pdf``."""
    if form == "pdf":
        from config.report.paper import report_pdf

        return report_pdf(report)
    from config.report.pages import report_html

    return report_html(report).encode()


def compute_with(report: Report, form: str) -> Mapping[str, bytes]:
    """Return a report's tables as files by name: ``csv`` or ``parquet``."""
    from config.report.files import csv_files, parquet_files

    return csv_files(report) if form == "csv" else parquet_files(report)


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Return files as one archive."""
    stream = BytesIO()
    with ZipFile(stream, "w", ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()
