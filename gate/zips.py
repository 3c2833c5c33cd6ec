"""A zip's directory judged before anything reads its members.

Two readers of the same doubled or joined archive can see different content; a validator and a
buyer must never see two. So whatever leaves room for that is refused, besides bombs and names
that lead outside.
"""

from __future__ import annotations

import stat
import struct
import unicodedata
import zipfile
import zlib
from itertools import pairwise
from pathlib import Path

from gate.errors import Refused, gettext_noop
from gate.limits import MIB, Limits

NAME_MAX = 120
HEADER_BYTES = 30
# The library reads all of a directory at once; the usual file has a hundred bytes in it.
DIRECTORY_BYTES = 4 * MIB
END, END64, LOCATOR = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
END_BYTES, END64_BYTES, LOCATOR_BYTES = 22, 56, 20
COMMENT_BYTES = 1 << 16
ENCRYPTED = 0x41
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
AGAIN = gettext_noop("Make the archive again, of the plain files alone.")
SMALLER = gettext_noop("Pack only the files that belong to it, or split it.")


def check_directory(path: Path, *, name: str) -> None:
    """Refuse an archive whose directory is larger than any real one, before it is read.

    Raises
    ------
    Refused
        There is no end of a directory, or it is too long.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - COMMENT_BYTES - END_BYTES - END64_BYTES - LOCATOR_BYTES))
        tail = file.read()
    at = tail.rfind(END)
    if at < 0 or at + END_BYTES > len(tail):
        raise _broken(name)
    length = int.from_bytes(tail[at + 12 : at + 16], "little")
    before = at - LOCATOR_BYTES - END64_BYTES
    if before >= 0 and tail[at - LOCATOR_BYTES : at].startswith(LOCATOR):
        if not tail.startswith(END64, before):
            raise _broken(name)
        length = max(length % 0xFFFFFFFF, int.from_bytes(tail[before + 40 : before + 48], "little"))
    if length > DIRECTORY_BYTES:
        raise Refused("zip-many", gettext_noop("far too many files in the archive"), name, SMALLER)


def _broken(name: str) -> Refused:
    text = gettext_noop("the archive can't be opened")
    remedy = gettext_noop("Make the archive again and upload it as a whole.")
    return Refused("zip-broken", text, name, remedy)


def check_zip(path: Path, *, name: str, limits: Limits, unpacked_bytes: int) -> list[str]:
    """Judge an archive, read every member once, and return the members' names.

    Parameters
    ----------
    path, name : Path, str
        The file, and what people call it.
    limits : Limits
        Members and ratio.
    unpacked_bytes : int
        How much all members may hold together. [byte]

    Raises
    ------
    Refused
        With the member in its place, where it's about one.
    """
    check_directory(path, name=name)
    try:
        archive = zipfile.ZipFile(path)
    # NotImplementedError is the library's word for a form of archive that it does not read.
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as e:
        raise _broken(name) from e
    with archive:
        members = archive.infolist()
        if len(members) > limits.zip_members:
            raise Refused(
                "zip-many",
                gettext_noop("{members} files in the archive; at most {limit} are taken"),
                name,
                SMALLER,
                members=len(members),
                limit=limits.zip_members,
            )
        _check_layout(members, name)
        seen: set[str] = set()
        for member in members:
            _check_member(member, seen, name, limits)
        total = sum(member.file_size for member in members)
        if total > unpacked_bytes:
            raise _too_large(name, total, unpacked_bytes)
        for member in members:
            _read(archive, member, name)
        return [member.filename for member in members]


def _check_layout(members: list[zipfile.ZipInfo], name: str) -> None:
    begins = sorted((one.header_offset, one.compress_size) for one in members)
    # Bytes in front, or a second archive: another reader would start there.
    if begins and begins[0][0] != 0:
        text = gettext_noop("there are bytes before the first file of the archive")
        raise Refused("zip-joined", text, name, AGAIN)
    for (begin, size), (following, _) in pairwise(begins):
        if begin + HEADER_BYTES + size > following:
            text = gettext_noop("files of the archive overlap")
            raise Refused("zip-overlap", text, name, AGAIN)


def _check_member(member: zipfile.ZipInfo, seen: set[str], name: str, limits: Limits) -> None:
    said = member.filename
    place = f"{name}: {said[:NAME_MAX]!r}"
    plain = unicodedata.normalize("NFC", said).lower()
    leads_out = "\\" in said or said.startswith("/") or ".." in said.split("/") or ":" in said
    if leads_out or member.orig_filename != said or "\0" in said or len(said) > NAME_MAX:
        text = gettext_noop("a name that leads outside the archive, or is none")
        raise Refused("zip-outside", text, place, AGAIN)
    if plain in seen:
        raise Refused("zip-twice", gettext_noop("the archive holds this file twice"), place, AGAIN)
    seen.add(plain)
    if member.flag_bits & ENCRYPTED:
        text = gettext_noop("the archive is locked with a password")
        remedy = gettext_noop("Pack it without a password; the hall encrypts it by itself.")
        raise Refused("zip-encrypted", text, place, remedy)
    if stat.S_ISLNK(member.external_attr >> 16):
        raise Refused("zip-link", gettext_noop("a link instead of a file"), place, AGAIN)
    if member.compress_type not in METHODS:
        text = gettext_noop("a way of packing that isn't taken")
        raise Refused("zip-method", text, place, gettext_noop("Pack it as ordinary zip (deflate)."))
    ratio = member.file_size // max(member.compress_size, 1)
    if member.file_size > MIB and ratio > limits.zip_ratio:
        raise Refused(
            "zip-bomb",
            gettext_noop("it unpacks to {ratio} times its size; at most {limit} times is taken"),
            place,
            gettext_noop("Look whether the file is filled with nothing."),
            ratio=ratio,
            limit=limits.zip_ratio,
        )


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> None:
    """Unpack a member into nothing: its declared size may lie, its checksum speaks."""
    place = f"{name}: {member.filename!r}"
    size = 0
    try:
        with archive.open(member) as file:
            while piece := file.read(MIB):
                size += len(piece)
    except (zipfile.BadZipFile, RuntimeError, EOFError, NotImplementedError, OSError) as e:
        raise _damaged(place) from e
    except (struct.error, zlib.error) as e:
        raise _damaged(place) from e
    if size != member.file_size:
        raise _damaged(place)


def _damaged(place: str) -> Refused:
    text = gettext_noop("the file in the archive is damaged, or larger than it says")
    return Refused("zip-damaged", text, place, AGAIN)


def _too_large(name: str, total: int, limit: int) -> Refused:
    return Refused(
        "zip-large",
        gettext_noop("it unpacks to {total} bytes; at most {limit} are taken"),
        name,
        SMALLER,
        total=total,
        limit=limit,
    )
