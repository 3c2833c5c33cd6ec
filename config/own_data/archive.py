"""Everything the hall keeps of one participant, as a zip that is written while it is sent."""

import base64
import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any, Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from ledger.queries import TransferLine, list_transfers
from marketplace.domain.spreadsheet import plain_text
from marketplace.domain.transfer_codes import TransferCode
from marketplace.queries.own_data import Row, iterate_part
from marketplace.queries.own_data_parts import LEFT_OUT, PARTS
from marketplace.queries.pages import Persona

_ROWS_A_PIECE: Final = 2_000
_TRANSFERS = (
    "transfer",
    "command",
    "leg",
    "kind",
    "reason",
    "amount_micro",
    "booked_at",
)
UNITS: Final = (
    "Energy in Wh (_wh), money in millionths of the currency (_micro, positive when it came in), "
    "prices in millionths of the currency per kWh, times in UTC."
)


class _Sink(io.RawIOBase):
    """Takes what the archive writes, until somebody sends it on; cannot go back."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        """Say that one may write."""
        return True

    def write(self, data: Any) -> int:
        """Keep a piece."""
        piece = bytes(data)
        self._pieces.append(piece)
        return len(piece)

    def taken(self) -> bytes:
        """Return what was written since the last time."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def own_data_archive(*, persona: Persona, email: str, now: datetime) -> Iterator[bytes]:
    """Write a participant's data as pieces of a zip.

    Parameters
    ----------
    persona : Persona
        Whose data. Nothing of others is in it, but what both signed.
    email : str
        The address of whoever asked, who alone receives it.
    """
    sink = _Sink()
    counts: dict[str, int] = {}
    with ZipFile(sink, "w", ZIP_DEFLATED) as archive:
        for part in PARTS:
            columns, rows = iterate_part(part, participant_id=persona.participant_id)
            name = f"{part.name}.{part.form}"
            write = _csv_lines if part.form == "csv" else _json_lines
            yield from _file(archive, sink, name, write(columns, rows, counts, name), now)
        lines = _csv_lines(_TRANSFERS, _transfers(persona), counts, "transfers.csv")
        yield from _file(archive, sink, "transfers.csv", lines, now)
        about = json.dumps(_about(persona, email, counts, now), ensure_ascii=False, indent=1)
        yield from _file(archive, sink, "about.json", [about], now)
    yield sink.taken()


def _about(
    persona: Persona, email: str, counts: dict[str, int], now: datetime
) -> dict[str, object]:
    return {
        "made_at": now.isoformat(),
        "participant": persona.participant_id,
        "name": persona.name,
        "role": persona.role,
        "community": persona.place.name if persona.place else None,
        "currency": persona.place.currency if persona.place else None,
        "signed_in_as": email,
        "energy_account": persona.energy_account_id,
        "wallet_account": persona.wallet_account_id,
        "units": UNITS,
        "rows": counts,
        "left_out": LEFT_OUT,
    }


def _file(
    archive: ZipFile, sink: _Sink, name: str, lines: Iterable[str], now: datetime
) -> Iterator[bytes]:
    info = ZipInfo(name, date_time=now.timetuple()[:6])
    info.compress_type = ZIP_DEFLATED
    info.external_attr = 0o600 << 16
    with archive.open(info, "w", force_zip64=True) as file:
        for text in lines:
            file.write(text.encode())
            if piece := sink.taken():
                yield piece


def _csv_lines(
    columns: Sequence[str], rows: Iterable[Row], counts: dict[str, int], name: str
) -> Iterator[str]:
    """Return a CSV as texts of some rows each."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    count = 0
    for count, row in enumerate(rows, start=1):
        writer.writerow([_cell(value) for value in row])
        if count % _ROWS_A_PIECE == 0:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    counts[name] = count
    yield text.getvalue()


def _json_lines(
    columns: Sequence[str], rows: Iterable[Row], counts: dict[str, int], name: str
) -> Iterator[str]:
    """Return a JSON list as one text for each row."""
    count = 0
    for count, row in enumerate(rows, start=1):
        values = dict(zip(columns, row, strict=True))
        text = json.dumps(values, ensure_ascii=False, default=_plain)
        yield ("[\n" if count == 1 else ",\n") + text
    counts[name] = count
    yield "\n]\n" if count else "[]\n"


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, str):
        return plain_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return _plain(value) if isinstance(value, date | bytes | memoryview | list | dict) else value


def _plain(value: object) -> object:
    """Return a value as text that every program reads."""
    if isinstance(value, date):  # a moment is one too
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(value).decode()
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=_plain)
    return str(value)


def _transfers(persona: Persona) -> Iterator[Row]:
    """Return the transfers of the participant's accounts, the newest first."""
    own = [each for each in (persona.energy_account_id, persona.wallet_account_id) if each]
    before: int | None = None
    while own:
        lines = list_transfers(account_ids=own, before_id=before, limit=_ROWS_A_PIECE)
        yield from (_transfer(line) for line in lines)
        if len(lines) < _ROWS_A_PIECE:
            return
        before = lines[-1].id


def _transfer(line: TransferLine) -> Row:
    """Return a transfer without the account on its other side: that is somebody else's."""
    reason = TransferCode(line.code).name.lower()
    return (line.id, line.command_key, line.leg, line.kind, reason, line.amount, line.booked_at)
