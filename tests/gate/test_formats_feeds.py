"""Timetables, live bikes, live trips and DATEX: by their validators and by ours."""

from __future__ import annotations

import json
import stat
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.transit import gtfs_realtime_pb2

from gate.errors import Refused
from gate.formats import check
from gate.formats.gbfs import addresses_of
from gate.limits import MIB, Limits
from tests.gate.mutilated import AT, GTFS, V2, V3, codes, gbfs, judged, written, zipped


def test_a_timetable_is_validated_as_of_the_day(tmp_path: Path) -> None:
    path = zipped(tmp_path / "feed", GTFS)

    found = judged(path, "gtfs")

    assert found.is_valid
    assert (found.records, dict(found.profile.entities)["stops"]) == (1, 2)
    assert found.profile.bbox == (11_500_000, 48_100_000, 11_600_000, 48_200_000)
    # The first and the day after the last, at midnight of Berlin: in winter and in winter.
    assert found.profile.start == "2026-02-28T23:00:00Z"
    assert found.profile.end == "2026-12-31T23:00:00Z"
    assert found.sample.rows[0] == ("S1", "One", "48.1", "11.5")
    later = judged(path, "gtfs", at=datetime(2027, 6, 1, tzinfo=UTC))
    assert "expired_calendar" in codes(later).keys() - codes(found).keys()


def test_broken_references_of_a_timetable_are_named(tmp_path: Path) -> None:
    files = {**GTFS, "stop_times.txt": GTFS["stop_times.txt"].replace("S2", "NOWHERE")}

    found = judged(zipped(tmp_path / "feed", files), "gtfs")

    broken = next(one for one in found.findings if one.code == "foreign_key_violation")
    assert (broken.severity, broken.count, broken.source) == ("error", 1, "gtfs-guru")
    assert broken.place == "feed, stop_times.txt, line 3, stop_id 'NOWHERE'"
    missing = {name: text for name, text in GTFS.items() if name != "stops.txt"}
    assert codes(judged(zipped(tmp_path / "less", missing), "gtfs"))["missing_required_file"] == 1


def _outside(archive: zipfile.ZipFile) -> None:
    archive.writestr("../../outside.txt", "x")


def _twice(archive: zipfile.ZipFile) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("stops.txt", GTFS["stops.txt"])


def _link(archive: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("shapes.txt")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(info, "/etc/hostname")


def _many(archive: zipfile.ZipFile) -> None:
    for number in range(201):
        archive.writestr(f"{number}.txt", "")


BAD_ZIPS: dict[str, Callable[[zipfile.ZipFile], None]] = {
    "zip-outside": _outside,
    "zip-twice": _twice,
    "zip-link": _link,
    "zip-many": _many,
    "zip-bomb": lambda archive: archive.writestr("shapes.txt", bytes(30 * MIB)),
    "zip-large": lambda archive: archive.writestr("shapes.txt", "a,b\n1,2\n" * 20_000),
    "zip-method": lambda archive: archive.writestr("x.txt", "x" * 99, zipfile.ZIP_BZIP2),
}


@pytest.mark.parametrize("code", BAD_ZIPS)
def test_an_archive_that_is_more_than_its_files_is_refused(tmp_path: Path, code: str) -> None:
    path = zipped(tmp_path / "feed", GTFS)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        BAD_ZIPS[code](archive)
    limits = Limits(gtfs_bytes=100_000) if code == "zip-large" else Limits()

    with pytest.raises(Refused) as refused:
        judged(path, "gtfs", limits=limits)

    assert refused.value.code == code
    assert refused.value.place.startswith("feed")
    assert refused.value.remedy.endswith(".")


def test_an_archive_that_readers_see_differently_is_refused(tmp_path: Path) -> None:
    data = zipped(tmp_path / "feed", GTFS).read_bytes()
    path = tmp_path / "changed"
    at = data.index(b"stops.txt") + len("stops.txt") + 4
    encrypted = bytearray(data)
    for sign, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        encrypted[data.index(sign) + offset] |= 1
    cases = {
        "zip-joined": data + data,
        "zip-damaged": data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :],
        "zip-broken": data[: len(data) // 2],
        "zip-encrypted": bytes(encrypted),
    }
    for code, changed in cases.items():
        path.write_bytes(changed)
        with pytest.raises(Refused) as refused:
            judged(path, "gtfs")
        assert refused.value.code == code


def test_a_sound_feed_of_bikes_has_no_finding(tmp_path: Path) -> None:
    folder = written(tmp_path / "feed", gbfs())

    found = check(folder, "gbfs", at=AT)
    files = {one.stem: one for one in folder.glob("*.json") if one.stem != "gbfs"}
    apart = judged(folder / "gbfs.json", "gbfs", companions=files)
    feed = {one.name: one.read_bytes() for one in folder.glob("*.json")}
    packed = judged(zipped(tmp_path / "zip", feed), "gbfs")

    assert found.findings == apart.findings == packed.findings == ()
    assert found.profile == apart.profile == packed.profile
    assert found.source_time == datetime(2026, 11, 21, 11, 59, 30, tzinfo=UTC)
    assert (found.records, found.profile.completeness_ppm) == (2, 1_000_000)
    assert dict(found.profile.entities) == {
        "stations": 2,
        "vehicles": 0,
        "capacity": 20,
        "files": 5,
    }


def first(feed: dict[str, Any], file: str = "station_status") -> dict[str, Any]:
    station: dict[str, Any] = feed[file]["data"]["stations"][0]
    return station


BAD_FEEDS: dict[str, Callable[[dict[str, Any]], object]] = {
    "count-over-capacity": lambda feed: first(feed).update(num_docks_available=50),
    "type-counts-differ": lambda feed: first(feed).update(num_bikes_available=3),
    "station-unknown": lambda feed: feed["station_information"]["data"]["stations"].pop(),
    "station-without-status": lambda feed: feed["station_status"]["data"]["stations"].pop(),
    "station-twice": lambda feed: feed["station_status"]["data"]["stations"].append(first(feed)),
    "vehicle-type-unknown": lambda feed: feed["vehicle_types"]["data"].update(vehicle_types=[]),
    "not-installed-but-renting": lambda feed: first(feed).update(is_installed=False),
    "time-in-future": lambda feed: feed["station_status"].update(last_updated=4_000_000_000),
    "report-old": lambda feed: first(feed).update(last_reported=1_700_000_000),
    "place-zero": lambda feed: first(feed, "station_information").update(lat=0, lon=0),
    "minimum": lambda feed: first(feed).update(num_bikes_available=-1),
    "type": lambda feed: first(feed).update(num_docks_available="five"),
    "file-missing": lambda feed: feed.pop("system_information"),
    "listed-file-missing": lambda feed: feed.pop("vehicle_types"),
    "json-broken": lambda feed: feed.update(station_status='{"last_updated": NaN}'),
    "version-unknown": lambda feed: feed["gbfs"].update(version="9.9"),
    "required": lambda feed: first(feed, "station_information").pop("name"),
}


@pytest.mark.parametrize("code", BAD_FEEDS)
def test_a_feed_of_bikes_that_contradicts_itself_is_caught(tmp_path: Path, code: str) -> None:
    found = judged(written(tmp_path / "feed", gbfs(BAD_FEEDS[code])), "gbfs")

    assert code in codes(found)
    assert found.is_valid == (code in ("report-old", "place-zero"))


def test_no_address_of_a_feed_is_followed(tmp_path: Path) -> None:
    """Nor a file of this machine, nor our own network: only the given bytes are looked at."""
    secret = tmp_path / "secret.json"
    secret.write_text('{"last_updated": 1, "ttl": 1, "version": "2.3", "data": {"x": "secret"}}')

    def lead_away(feed: dict[str, Any]) -> None:
        for one in feed["gbfs"]["data"]["en"]["feeds"]:
            one["url"] = secret.as_uri()
        feed["gbfs"]["data"]["en"]["feeds"].append({"name": "x", "url": secret.as_uri()})

    path = written(tmp_path / "feed", {"gbfs": gbfs(lead_away)["gbfs"]})
    found = judged(path, "gbfs")

    assert codes(found)["file-missing"] >= 1
    assert "secret.json" not in json.dumps(found.as_json()["profile"])
    assert "x" not in found.profile.entities
    assert list(addresses_of(gbfs()["gbfs"])) == [
        "vehicle_types",
        "station_status",
        "station_information",
        "system_information",
    ]


def test_bad_json_is_refused_before_a_validator_sees_it(tmp_path: Path) -> None:
    path = tmp_path / "gbfs.json"
    for text in ("", "[]", '{"a": NaN}', "[" * 100_000, '{"a": %s}' % ("9" * 5000), '{"a": '):
        path.write_text(text)
        with pytest.raises(Refused) as refused:
            judged(path, "gbfs")
        assert refused.value.code == "json-broken"
        assert "gbfs.json" in refused.value.place
    path.write_text('{"a": "%s"}' % ("x" * 2000))
    with pytest.raises(Refused, match="MiB of JSON"):
        judged(path, "gbfs", limits=Limits(json_bytes=1000))


def message(count: int = 20, *, trip: str = "T1", stop: str = "S1") -> bytes:
    """Return a message of updates of one trip; its rules fail only where it is told to."""
    feed = gtfs_realtime_pb2.FeedMessage()
    feed.header.gtfs_realtime_version = "2.0"
    feed.header.incrementality = gtfs_realtime_pb2.FeedHeader.FULL_DATASET
    feed.header.timestamp = int(AT.timestamp()) - 30
    for number in range(count):
        entity = feed.entity.add()
        entity.id = str(number)
        update = entity.trip_update
        update.trip.trip_id = trip
        update.trip.start_date = "20261121"
        update.timestamp = feed.header.timestamp
        when = update.stop_time_update.add()
        when.stop_sequence = 1
        when.stop_id = stop
        when.arrival.time = feed.header.timestamp + 60
        when.departure.time = feed.header.timestamp + 60
    data: bytes = feed.SerializeToString()
    return data


def test_live_trips_are_judged_by_their_timetable(tmp_path: Path) -> None:
    timetable = zipped(tmp_path / "gtfs", GTFS)
    path = tmp_path / "message"
    path.write_bytes(message(1))
    companions = {"gtfs": timetable}

    sound = judged(path, "gtfs-rt", companions=companions)
    path.write_bytes(message(1, trip="NOTRIP"))
    unknown = judged(path, "gtfs-rt", companions=companions)

    assert (sound.records, sound.source_time) == (1, datetime(2026, 11, 21, 11, 59, 30, tzinfo=UTC))
    assert sound.is_valid
    assert dict(sound.profile.entities) == {"trip updates": 1}
    assert codes(unknown)["E003"] == 1
    assert next(one.place for one in unknown.findings if one.code == "E003") == (
        "message, trip_id NOTRIP"
    )
    assert codes(judged(path, "gtfs-rt")) == {"no-timetable": 1}


def test_a_message_that_is_none_is_never_valid(tmp_path: Path) -> None:
    """The validator says "no errors" of each of these."""
    whole = message()
    path = tmp_path / "message"
    html = b"<html>502 Bad Gateway</html>"
    for data in (b"", whole[: len(whole) // 2], whole[:-1], b"\xff" * 99, html, b'{"header": {}}'):
        path.write_bytes(data)
        with pytest.raises(Refused) as refused:
            judged(path, "gtfs-rt")
        assert refused.value.code == "message-broken"


def test_a_message_cut_between_entities_is_told_by_the_one_before(tmp_path: Path) -> None:
    path, before = tmp_path / "message", tmp_path / "before"
    before.write_bytes(message(40))
    path.write_bytes(message(10))
    assert before.read_bytes().startswith(path.read_bytes())

    found = judged(path, "gtfs-rt", companions={"previous": before})

    assert "entities-missing" in codes(found)
    assert found.profile.completeness_ppm == 250_000


def test_both_versions_of_datex_say_the_same(tmp_path: Path) -> None:
    path, places = tmp_path / "datex", tmp_path / "places"
    places.write_text("site_id,lat,lon\nD1,48.1,11.5\n")
    profiles = []
    for text in (V2, V3):
        path.write_text(text)
        found = judged(path, "datex", companions={"stations": places})
        assert found.findings == ()
        assert found.sample.rows == (("D1", "1", "2026-10-01T18:55:00Z", "flow", "240"),)
        assert found.source_time == datetime(2026, 10, 1, 18, 58, tzinfo=UTC)
        profiles.append(found.profile)
    assert profiles[0] == profiles[1]
    assert profiles[0].bbox == (11_500_000, 48_100_000, 11_500_000, 48_100_000)


def test_values_that_can_t_be_are_found_in_datex(tmp_path: Path) -> None:
    path = tmp_path / "datex"
    rate = "<vehicleFlowRate>240</vehicleFlowRate>"
    cases = {
        "value-impossible": V2.replace("240", "-7"),
        "value-missing": V2.replace(rate, f"<dataError>true</dataError>{rate}"),
        "value-unreadable": V2.replace("240", "many"),
        "time-unreadable": V2.replace("2026-10-01T18:55:00Z", "this morning"),
        "time-in-future": V2.replace("2026-10-01T18:55:00Z", "2027-10-01T18:55:00Z"),
        "time-missing": V2.replace("2026-10-01T18:55:00Z", ""),
        "site-missing": V2.replace('id="D1"', ""),
        "site-twice": V2.replace(rate, rate * 2),
    }
    for code, text in cases.items():
        path.write_text(text)
        assert codes(judged(path, "datex")) == {code: 1}


def test_hostile_xml_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "datex"
    laughs = '<?xml version="1.0"?>\n<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><l>&b;</l>'
    outside = '<!DOCTYPE a SYSTEM "file:///etc/hostname"><a/>'
    many = " ".join(f'a{n}="1"' for n in range(100))
    cases = {
        "xml-dtd": [laughs, outside],
        "xml-deep": ["<a>" * 100_000, f"<a {many}/>"],
        "xml-text": ["<a>" + "x" * 200_000],
        "xml-broken": [V3[:-40], "<a></b>"],
        "datex-other": [V3.replace("MeasuredData", "Situation"), "<a/>"],
    }
    for code, texts in cases.items():
        for text in texts:
            path.write_text(text)
            with pytest.raises(Refused) as refused:
                judged(path, "datex")
            assert refused.value.code == code
            assert code == "datex-other" or "line " in refused.value.place
