"""Files, exports and answers of the API tell the same figures of a month as the ledger."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any, Final
from zipfile import ZipFile

import pytest
from django.core.management import call_command
from django.test import Client

from ledger.models import Transfer
from marketplace.domain.civil_day import day_bounds
from marketplace.domain.transfer_codes import TransferCode
from marketplace.models import Participant, Zone
from tests.web.city import City, signed_in
from tests.web.totals_by_hand import MONEY, SUMS, Books, Value, micro
from tests.web.totals_city import FIRST, LAST, RULES

Row = Mapping[str, Any]
START, END = datetime(2026, 5, 31, 16, tzinfo=UTC), datetime(2026, 6, 30, 16, tzinfo=UTC)
DAY_START: Final = datetime(2026, 6, 14, 16, tzinfo=UTC)
CITY_FILES: Final = {
    "city": ("days", "calendar", "clock"),
    "prices": ("days", "calendar", "heat", "zones", "zone-days", "spread"),
    "flows": ("zones", "groups", "exchange", "peak"),
    "equity": ("sufficiency", "zones"),
    "mobility": ("clock",),
    "health": ("depth",),
}


@pytest.fixture
def books(totals_city: City) -> Books:
    return Books(totals_city.community_id, RULES)


class Comparison:
    """Compares rows of a file or an answer with the books, and counts."""

    def __init__(self, books: Books, community_id: int) -> None:
        self.books, self.of, self.count = books, f"community:{community_id}", 0
        self.zones = dict(Zone.objects.filter(community=community_id).values_list("code", "id"))

    def value(self, name: str, start: datetime = START, end: datetime = END, of: str = "") -> Value:
        return self.books.value(of or self.of, name, start, end)

    def same(self, where: str, shown: Any, truth: Value) -> None:
        """Compare one figure; nothing is written where there is none."""
        assert str("" if shown is None else shown) == str("" if truth is None else truth), where
        self.count += 1

    def row(
        self, where: str, row: Row, *, of: str = "", start: datetime = START, end: datetime = END
    ) -> None:
        """Compare whatever columns a row has that are figures."""
        for name in SUMS + (MONEY if of.startswith("member") else ()):
            if name in row:
                self.same(f"{where} {name} {row}", row[name], self.value(name, start, end, of))

    def city_row(self, where: str, row: Row) -> None:
        """Compare a row of a chart's file, whose columns say what it is about."""
        start, end = START, END
        if "day" in row:
            start, end = day_bounds(datetime.fromisoformat(row["day"]).date(), self.books.zone)
        of = f"zone:{self.zones[row['zone']]}" if "zone" in row else ""
        if "hour" in row:
            self._clock(where, row)
        elif "case" in row:
            self._peak(where, row)
        else:
            self.row(where, row, of=of, start=start, end=end)
        for name, shown in row.items():
            if name[0] == "h" and name[1:3].isdigit():
                hour = start + timedelta(hours=int(name[1:3]))
                truth = self.value("price_micro_per_kwh", hour, hour + timedelta(hours=1))
                self.same(f"{where} {name}", shown, truth)
            elif name.startswith("zone_"):
                truth = self.value("price_micro_per_kwh", start, end, f"zone:{name.split('_')[1]}")
                self.same(f"{where} {name}", shown, truth)
            elif name == "what":
                self.same(f"{where} {shown}", row["energy_wh"], self.depth()[shown])

    def depth(self) -> dict[str, Value]:
        """Return what was offered, wanted and traded in the month."""
        wanted, traded = (Fraction(self.value(name) or 0) for name in ("import_wh", "bought_wh"))
        agreed = sum(
            each.wh for some in self.books.trades.values() for each in some if each.is_agreed
        )
        return {
            "offered": self.value("export_wh"),
            "wanted": self.value("import_wh"),
            "traded": self.value("bought_wh"),
            "agreed": agreed,
            "unmatched": int(wanted - traded),
        }

    def _clock(self, where: str, row: Row) -> None:
        """Compare the mean day's hour."""
        for name in ("import_wh", "export_wh"):
            total = sum(Fraction(each) for each in self.of_hour(name, int(row["hour"])))
            self.same(f"{where} {row}", row[name], round(total / 2))

    def of_hour(self, name: str, hour: int) -> list[int]:
        """Return a figure in an hour of each of the two days."""
        starts = [DAY_START + timedelta(days=day, hours=hour) for day in range(2)]
        return [int(self.value(name, each, each + timedelta(hours=1)) or 0) for each in starts]

    def _peak(self, where: str, row: Row) -> None:
        name = "grid_import_wh" if row["case"] == "With the market" else "import_wh"
        hours = [DAY_START + timedelta(hours=hour) for hour in range(48)]
        peak = max(int(self.value(name, each, each + timedelta(hours=1)) or 0) for each in hours)
        self.same(f"{where} {row}", row["peak_w"], peak)

    def flows(self, where: str, rows: Iterable[Row], energy: str, source: str) -> None:
        """Compare what flowed among members, and from the grid, in all."""
        parts: dict[bool, list[int]] = {True: [0, 0], False: [0, 0]}
        for row in rows:
            part = parts[row[source] in ("0", 0, "the grid")]
            part[0] += int(row[energy])
            part[1] += int(row["value_micro"])
        trades = [each for some in self.books.trades.values() for each in some]
        value = sum(micro(each.wh, each.price_micro) for each in trades)
        bought = -sum(
            amount
            for (_, account, code), amount in self.books.money.items()
            if code == TransferCode.GRID_PURCHASE and account in self.books.accounts
        )
        for shown, truth in zip(
            [*parts[False], *parts[True]],
            [self.value("bought_wh"), value, self.value("grid_import_wh"), bought],
            strict=True,
        ):
            self.same(where, shown, truth)


@pytest.fixture
def compare(totals_city: City, books: Books) -> Comparison:
    return Comparison(books, totals_city.community_id)


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


def got(client: Client, path: str) -> bytes:
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.content[:300])
    return b"".join(answer) if answer.streaming else answer.content


def compare_city_files(compare: Comparison, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        rows = rows_of(content)
        assert rows, name
        if "day" in rows[0] and "case" not in rows[0]:
            assert [row["day"] for row in rows] == [str(FIRST), str(LAST)], name
        if name.startswith("flows") and "from" in rows[0]:
            compare.flows(name, rows, "energy_wh", "from")
            continue
        for row in rows:
            compare.city_row(name, row)


def test_files_of_charts_and_reports(
    totals_city: City, compare: Comparison, tmp_path: Path
) -> None:
    paul, paul_id = signed_in("paul"), totals_city.participant_ids["paul"]
    asked = f"community={totals_city.community_id}&from=2026-06-01&to=2026-06-30"
    files = {
        f"{page}/{key}": got(paul, f"/planner/{paul_id}/{page}/{key}.csv?{asked}")
        for page, keys in CITY_FILES.items()
        for key in keys
    }
    compare_city_files(compare, files)
    assert compare.count > 190

    days = ["--community", "Lindenhof", "--from", "2026-06-01", "--to", "2026-06-30"]
    call_command("report", *days, "--format", "csv", "--out", str(tmp_path / "report"))
    report = {path.stem: path.read_bytes() for path in (tmp_path / "report").glob("*.csv")}
    # A report's tables are the pages' own, and those were just compared.
    assert set(files.values()) - set(report.values()) <= {files["city/clock"], files["city/days"]}
    call_command("export_figures", *days, "--format", "csv", "--out", str(tmp_path / "out"))
    for table in ("days", "hours", "flows"):
        [path] = (tmp_path / "out" / table).rglob("*.csv")
        if table == "flows":
            compare.flows(table, rows_of(path.read_bytes()), "wh", "from_zone_id")
        else:
            compare_periods(compare, rows_of(path.read_bytes()))


def compare_periods(compare: Comparison, rows: Sequence[Row]) -> None:
    """Compare rows that name their zone, start and end; all of the two days are there."""
    length = sum(
        (datetime.fromisoformat(row["end"]) - datetime.fromisoformat(row["start"])).days * 24 or 1
        for row in rows
    )
    assert length == 48 * (1 + len(compare.zones))
    for row in rows:
        of = "" if row["zone_id"] == "0" else f"zone:{row['zone_id']}"
        start, end = (datetime.fromisoformat(row[name]) for name in ("start", "end"))
        compare.row("", row, of=of, start=start, end=end)


def test_what_is_published(totals_city: City, compare: Comparison) -> None:
    client = Client()
    [publication] = json.loads(got(client, "/api/v1/open/publications/"))["publications"]
    tables = {name: rows_of(got(client, path)) for name, path in publication["tables"].items()}
    compare_periods(compare, tables["days"])
    for row in tables["hours"]:
        for name in SUMS:
            if name in row:
                compare.same(f"{row}", row[name], sum(compare.of_hour(name, int(row["hour"]))))
    compare.flows("flows", tables["flows"], "wh", "from_zone_id")
    compare_savings(compare, tables["savings"])
    series = got(client, f"/api/v1/open/communities/{totals_city.community_id}/days.csv")
    assert rows_of(series) == tables["days"]


def compare_savings(compare: Comparison, rows: Sequence[Row]) -> None:
    """Compare the sum over all members, the only group that is large enough."""
    [row] = rows
    for name in ("saved_micro", "alone_micro"):
        members = compare.books.members
        truth = sum(int(compare.value(name, of=f"member:{each}") or 0) for each in members)
        compare.same(f"{row}", row[name], truth)


def test_answers_of_the_api(totals_city: City, compare: Comparison) -> None:
    paul, alice = signed_in("paul"), signed_in("alice")
    community, alice_id = totals_city.community_id, totals_city.participant_ids["alice"]

    def asked(subject: str, more: str = "") -> Any:
        path = f"/api/v1/analytics/{subject}/?community={community}&first={FIRST}&last={LAST}{more}"
        return json.loads(got(paul, path))["figures"]

    for by in ("total", "day", "hour"):
        rows = [*asked("energies", f"&by={by}"), *asked("prices", f"&by={by}")]
        # By total there are the zones as well, and prices are by day.
        assert len(rows) == {"total": 5, "day": 4, "hour": 96}[by]
        for row in rows:
            start, end = (datetime.fromisoformat(row[name]) for name in ("start", "end"))
            compare.row(by, row, of=row["of"], start=start, end=end)
    compare.flows("flows", asked("flows"), "energy_wh", "from_zone_id")
    compare_savings(compare, asked("savings"))
    health = asked("health")
    for name, truth in compare.depth().items():
        compare.same(name, health[f"{name}_wh"], truth)

    statements = whole(alice, "/api/v1/statements/?limit=100")
    assert len(statements) == 48
    for row in statements:
        start, end = (datetime.fromisoformat(row[name]) for name in ("starts_at", "ends_at"))
        own = {name: value for name, value in row.items() if name != "price_micro_per_kwh"}
        compare.row("statements", own, of=f"member:{alice_id}", start=start, end=end)
    moved = sum(row["amount_micro"] for row in whole(alice, "/api/v1/transfers/?limit=200"))
    compare.same("transfers", moved, compare.value("net_micro", of=f"member:{alice_id}"))
    for row in whole(alice, f"/api/v1/rollups/?community={community}&limit=100"):
        start = datetime.fromisoformat(row["starts_at"])
        end = start + timedelta(hours=1)
        shares = {name: value for name, value in row.items() if name != "price_micro_per_kwh"}
        compare.row("rollups", shares, start=start, end=end)
        for zone in row["zones"]:
            compare.row("rollups", zone, of=f"zone:{zone['zone_id']}", start=start, end=end)
    period = "start=2026-05-31T16:00Z&end=2026-06-30T16:00Z"
    totals = json.loads(got(alice, f"/api/v1/rollups/totals/?community={community}&{period}"))
    compare.row("totals", {**totals, "price_micro_per_kwh": totals["mean_price_micro_per_kwh"]})


def whole(client: Client, path: str) -> list[dict[str, Any]]:
    """Return every page of a list."""
    found = []
    following: str | None = path
    while following:
        page = json.loads(got(client, following))
        found += page["results"]
        following = page["next"]
    return found


def test_bills_and_own_data(totals_city: City, compare: Comparison) -> None:
    olga, ids = signed_in("olga"), totals_city.participant_ids
    bills = rows_of(got(olga, f"/operator/{ids['olga']}/billing/1/statements.csv"))
    assert len(bills) == len(compare.books.members)
    for row in bills:
        # A bill tells agreements apart from the pool.
        whole_row = row | {
            name: str(int(row[name]) + int(row[f"agreed_{name}"]))
            for name in ("bought_wh", "sold_wh")
        }
        compare.row("bills", whole_row, of=f"member:{row['participant']}")
    for name in ("alice", "erin"):
        client, of = signed_in(name), f"member:{ids[name]}"
        net = compare.value("net_micro", of=of)
        lines = rows_of(got(client, f"/member/{ids[name]}/months/2026-06/statement.csv"))
        compare.same(of, sum(int(row["amount_micro"]) for row in lines), net)
        archive = ZipFile(io.BytesIO(got(client, f"/member/{ids[name]}/privacy/data.zip")))
        settled = [
            row
            for row in rows_of(archive.read("transfers.csv"))
            if row["command"].startswith("settle:")
        ]
        compare.same(of, sum(int(row["amount_micro"]) for row in settled), net)
        readings = {row["starts_at"]: row for row in rows_of(archive.read("readings.csv"))}
        for column in ("import_wh", "export_wh"):
            own = sum(int(row[column]) for row in readings.values())
            compare.same(of, own, compare.value(column, of=of))
        [stated] = rows_of(archive.read("statements.csv"))
        assert [stated["net_micro"], stated["alone_micro"]] == [
            str(net),
            str(compare.value("alone_micro", of=of)),
        ]


def test_money_of_the_data_market(totals_city: City, compare: Comparison) -> None:
    ids = totals_city.participant_ids
    sold = 0
    for name in ("dora", "erin"):
        client = signed_in(name)
        account = Participant.objects.get(id=ids[name]).wallet_account_id
        moved = {True: 0, False: 0}
        for row in Transfer.objects.filter(kind__in=(Transfer.Kind.POSTED, Transfer.Kind.POST)):
            moved[True] += row.amount * (row.credit_account_id == account)
            moved[False] += row.amount * (row.debit_account_id == account)
            if name == "dora" and row.code == TransferCode.DATA_SALE:
                sold += row.amount * (row.credit_account_id == account)
        [wallet] = json.loads(got(client, "/api/v1/wallets/"))
        compare.same(name, wallet["balance_micro"], moved[True] - moved[False])
        # What a page writes is the balance less what is held, to the hundredth.
        page = got(client, "/market").decode()
        assert f"¥{wallet['available_micro'] / 10**6:,.2f}" in page
        invoices = rows_of(got(client, "/market/invoices.csv"))
        compare.same(name, sum(int(row["amount_micro"]) for row in invoices), 3_000_000)
    compare.same("sold", sold, 3_000_000)
