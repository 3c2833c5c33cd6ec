"""The vectorised checks of trips against pandera, which reads the same rows its own way."""

from __future__ import annotations

import random
from pathlib import Path

import pandas as pd
import pandera.pandas as pandera

from gate.formats.trips import DURATION_SLACK_S
from tests.gate.mutilated import AT, codes, judged

TIMES = ["", "soon", "2026-02-30 08:00:00", "2026-03-01 08:00:00", "2026-03-01T08:05:00"]
TIMES += ["2026-03-01 09:00", "2026-03-02 08:30:00", "2026-03-01 08:00:00.250", "2027-01-01 00:00"]
TIMES += ["1980-01-01 00:00:00", "2026-03-01 7:00", "2026-03-04"]
PLACES = ["", "A", "B", "C"]
KNOWN = ["A", "B"]
PLACE = pandera.Column(None, pandera.Check.isin(KNOWN, error="place-unknown"), nullable=False)


def counted(frame: pd.DataFrame) -> dict[str, int]:
    """Return how often pandera finds each rule broken."""
    day = pd.Timedelta(days=1)
    near = pd.Timedelta(seconds=DURATION_SLACK_S)
    times = frame.dropna(subset=["start", "end"])
    whole = pandera.DataFrameSchema(
        checks=[
            pandera.Check(lambda t: t["end"] >= t["start"], error="end-before-start"),
            pandera.Check(lambda t: t["end"] - t["start"] <= day, error="trip-long"),
            pandera.Check(
                lambda t: (
                    t[["start", "end"]].max(axis=1) <= pd.Timestamp(AT).tz_localize(None) + day
                ),
                error="time-in-future",
            ),
            pandera.Check(
                lambda t: t[["start", "end"]].min(axis=1) >= pd.Timestamp("1990-01-01"),
                error="time-old",
            ),
            pandera.Check(
                lambda t: (
                    (t["end"] < t["start"])
                    | t["duration"].isna()
                    | ((t["end"] - t["start"] - pd.to_timedelta(t["duration"], "s")).abs() <= near)
                ),
                error="duration-differs",
            ),
        ]
    )
    places = pandera.DataFrameSchema({"from": PLACE, "to": PLACE})
    found: dict[str, int] = {}
    # A rule about whole rows fails once in each of their columns.
    for schema, part, one in ((whole, times, ["index"]), (places, frame, ["column", "index"])):
        try:
            schema.validate(part, lazy=True)
        except pandera.errors.SchemaErrors as errors:
            cases = errors.failure_cases.drop_duplicates(["check", *one])
            for check, group in cases.groupby("check"):
                code = {"not_nullable": "place-missing"}.get(str(check), str(check))
                found[code] = len(group)
    return found


def test_pandera_counts_the_same(tmp_path: Path) -> None:
    source = random.Random(5)
    rows = [
        [
            *(source.choice(TIMES) for _ in range(2)),
            *(source.choice(PLACES) for _ in range(2)),
            source.choice(["", "300", "3600", "many", "0"]),
        ]
        for _ in range(3000)
    ]
    names = ["start_time", "end_time", "start_station_id", "end_station_id", "duration"]
    path, stations = tmp_path / "trips.csv", tmp_path / "stations.csv"
    path.write_text("\n".join(",".join(row) for row in [names, *rows]) + "\n")
    stations.write_text("station_id,lat,lon\nA,48,11\nB,48.1,11\n")
    frame = pd.DataFrame(rows, columns=["start", "end", "from", "to", "duration"])
    # The rule of the gate: ISO with two digits; "7:00" is none, though pandas would guess it.
    for name in ("start", "end"):
        text = frame[name].where(~frame[name].str.contains(r" \d:"), "")
        time = pd.to_datetime(text, format="ISO8601", errors="coerce")
        frame[name] = time.dt.floor("s")
    frame["duration"] = pd.to_numeric(frame["duration"], errors="coerce")
    frame[["from", "to"]] = frame[["from", "to"]].replace("", None)

    ours = codes(judged(path, "trips", companions={"stations": stations}))

    unread = ours.pop("time-missing") + ours.pop("time-unreadable")
    assert unread == int(frame[["start", "end"]].isna().sum().sum())
    assert ours == counted(frame)
    assert min(ours.values()) > 50
