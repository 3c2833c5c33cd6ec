"""What is said of a file that isn't taken as it is: a text and a remedy for each way."""

from __future__ import annotations

from gate.errors import Refused, gettext_noop
from gate.recognise import Recognised

# What a broken file is, by the detail of `Recognised`: text, remedy.
BROKEN: dict[str, tuple[str, str]] = {
    "empty": (
        gettext_noop("the file is empty"),
        gettext_noop("Choose the right file; the export may have failed."),
    ),
    "parquet-cut": (
        gettext_noop("the Parquet file has no end"),
        gettext_noop("Upload it again as a whole; it was cut off."),
    ),
    "parquet-encrypted": (
        gettext_noop("the Parquet file is encrypted"),
        gettext_noop("Export it without encryption; the hall encrypts it by itself."),
    ),
    "parquet-footer": (
        gettext_noop("the Parquet file's description of itself can't be read"),
        gettext_noop("Write the file again; it is damaged."),
    ),
    "zip-broken": (
        gettext_noop("the archive can't be opened"),
        gettext_noop("Make the archive again and upload it as a whole."),
    ),
    "zip-many": (
        gettext_noop("far too many files in the archive"),
        gettext_noop("Pack only the files that belong to it, or split it."),
    ),
    "gtfs-in-folder": (
        gettext_noop("the timetable's files lie in a folder inside the archive"),
        gettext_noop("Pack the files themselves, not the folder around them."),
    ),
    "gzip-broken": (
        gettext_noop("the gzip file can't be unpacked"),
        gettext_noop("Compress it again and upload it as a whole."),
    ),
    "utf16": (
        gettext_noop("the text is in UTF-16"),
        gettext_noop("Save it as UTF-8."),
    ),
    "encoding": (
        gettext_noop("the text is not in UTF-8"),
        gettext_noop("Save it as UTF-8; it may be in Latin-1 or Windows-1252."),
    ),
    "binary": (
        gettext_noop("these are bytes of no format the hall takes"),
        gettext_noop("The hall takes trips, counts, GTFS, GTFS-Realtime, GBFS and DATEX II."),
    ),
    "nul": (
        gettext_noop("the text holds NUL characters"),
        gettext_noop("Export it again; it is damaged or not a text."),
    ),
    "html": (
        gettext_noop("this is a web page, not data"),
        gettext_noop("Take the address of the file itself; this may be a page of errors."),
    ),
    "xml-dtd": (
        gettext_noop("the XML declares a document type or entities"),
        gettext_noop("Export it without DOCTYPE; such files aren't read, for safety."),
    ),
    "one-line": (
        gettext_noop("the text has one line without an end"),
        gettext_noop("Write one row a line, the first with the names of the columns."),
    ),
    "csv-quote": (
        gettext_noop("a quotation mark is not closed"),
        gettext_noop("Export the table again, with every quotation mark doubled inside a cell."),
    ),
    "csv-no-header": (
        gettext_noop("the first line holds values, not names of columns"),
        gettext_noop("Add a first line with the names of the columns."),
    ),
}


def refusal_of(found: Recognised, name: str) -> Refused | None:
    """Return why a file can't be taken, or None for one of the hall's formats."""
    if found.format == "broken":
        text, remedy = BROKEN[found.detail]
        return Refused(found.detail, text, name, remedy)
    if found.format in ("unknown", "table"):
        return Refused(
            "format-unknown",
            gettext_noop("this is no format the hall takes"),
            name,
            gettext_noop("The hall takes trips, counts, GTFS, GTFS-Realtime, GBFS and DATEX II."),
        )
    return None
