"""A period that is computed again: what all its days share, read once, and one day at a time."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date

import numpy as np
from django.db.models import Q

from marketplace.domain.clearing import Int64Array
from marketplace.domain.forward.delivery import HeldAuction
from marketplace.domain.interval_book import IntervalBook
from marketplace.domain.keyed_sums import summed_by
from marketplace.domain.pricing_comparison import Nets
from marketplace.domain.what_if.change import ChangedRules, changed_rules, solar_of
from marketplace.domain.what_if.figures import Side, ZoneMap, sums_of
from marketplace.domain.what_if.interval import (
    SettledInterval,
    as_it_might_have_been,
    as_it_was,
)
from marketplace.domain.what_if.solar import Roofs, draw_roofs
from marketplace.models import (
    Clearing,
    DeliveryInterval,
    MeteringPoint,
    RuleSet,
    WhatIf,
    WhatIfDay,
)
from marketplace.queries.agreements import AgreementsInForce
from marketplace.queries.auctions import list_held_auctions
from marketplace.queries.documents import community_accounts
from marketplace.queries.intervals import IS_BOOKED
from marketplace.queries.terms import TermsInForce
from marketplace.queries.what_ifs import get_minimum, list_roofs, settled_intervals_between

_AT_ONCE = 50
_NO_ROOFS = Roofs(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))


class Period:
    """A what-if's community, rules, terms, agreements and roofs."""

    def __init__(self, what_if: WhatIf) -> None:
        self._community = what_if.community
        self._accounts = community_accounts(what_if.community)
        self._terms = TermsInForce(community_id=what_if.community_id)
        self._agreements = AgreementsInForce(community_id=what_if.community_id)
        self._rules = _rules_of(what_if)
        self._solar = solar_of(what_if.change)
        seen = what_if.revisions
        self._revisions = None if seen is None else {int(id_): n for id_, n in seen.items()}
        self._zones = _zone_map(what_if.community_id)
        self._what_if = what_if

    @property
    def roofs(self) -> dict[str, dict[str, list[int]]]:
        """Who has a roof and who gets one, by month, as far as it was drawn."""
        return dict(self._what_if.roofs)

    def _roofs_of(self, day: date) -> Roofs:
        """Return who has a roof in the month of a day, and who gets one; drawn once, then kept.

        By month, so that what a day comes to is the same whatever else was asked about. For whom
        members are not shown one by one, two draws never differ by fewer than the minimum.
        """
        if not self._solar.roofs_percent:
            return _NO_ROOFS
        month, drawn = day.replace(day=1), self._what_if.roofs
        if month.isoformat() not in drawn:
            known = list_roofs(community=self._community, month=month)
            step = 1 if self._revisions is None else get_minimum(self._community.pk)
            points = MeteringPoint.objects.filter(community=self._community)
            new = (
                draw_roofs(
                    dict(points.values_list("id", "code")),
                    with_roof=known,
                    solar=self._solar,
                    step=step,
                )
                if len(known) >= step
                else []
            )
            drawn[month.isoformat()] = {"known": known, "new": new}
        roofs = drawn[month.isoformat()]
        return Roofs(
            known=np.array(roofs["known"], dtype=np.int64),
            new=np.array(roofs["new"], dtype=np.int64),
        )

    def day(self, day: date) -> WhatIfDay:
        """Return a civil day computed again, not stored yet."""
        roofs = self._roofs_of(day)
        actual, changed = Side(), Side()
        nets: tuple[list[Nets], list[Nets]] = ([], [])
        intervals = settled_intervals_between(
            community=self._community, first_day=day, last_day=day
        )
        ids = list(intervals.order_by("starts_at").values_list("id", flat=True))
        if self._revisions is not None:
            ids = [id_ for id_ in ids if id_ in self._revisions]
        for at in range(0, len(ids), _AT_ONCE):
            for interval, settled in self._settled(ids[at : at + _AT_ONCE]):
                sides = self._sides(settled, self._rules[interval.rule_set_id], roofs)
                for sums, so_far, kept in zip(sides, (actual, changed), nets, strict=True):
                    so_far.add(sums[0])
                    kept.append(sums[1])
        return WhatIfDay(
            day=day,
            interval_count=actual.zones.get("", {}).get("interval_count", 0),
            figures={"actual": actual.document(), "changed": changed.document()},
            members=self._packed(*nets),
        )

    def _sides(
        self, settled: SettledInterval, changed: ChangedRules, roofs: Roofs
    ) -> tuple[tuple[Side, Nets], tuple[Side, Nets]]:
        """Return what an interval came to, and what it might have."""
        outcomes = (
            (as_it_was(settled, changed.base), changed.base),
            (as_it_might_have_been(settled, changed, roofs, self._solar), changed.rules),
        )
        actual, might = (
            sums_of(
                outcome,
                zone_map=self._zones,
                accounts=self._accounts,
                minutes=settled.minutes,
                limits_wh=[link.limit_wh for link in rules.market.links],
            )
            for outcome, rules in outcomes
        )
        return actual, might

    def _settled(
        self, interval_ids: Sequence[int]
    ) -> Iterator[tuple[DeliveryInterval, SettledInterval]]:
        intervals = DeliveryInterval.objects.filter(IS_BOOKED, id__in=interval_ids)
        revisions = dict(intervals.values_list("id", "revision"))
        if self._revisions is not None:
            revisions = {id_: self._revisions[id_] for id_ in revisions}
        latest, cleared = _books(revisions)
        auctions = self._auctions(list(intervals))
        for interval in intervals.order_by("starts_at"):
            book = latest[interval.pk]
            yield (
                interval,
                SettledInterval(
                    starts_at=interval.starts_at,
                    minutes=int((interval.ends_at - interval.starts_at).total_seconds()) // 60,
                    book=book,
                    cleared_book=cleared.get(interval.pk, book),
                    terms=self._terms.at(interval.starts_at),
                    agreements=self._agreements.at(interval.starts_at),
                    auction=auctions.get(interval.pk),
                ),
            )

    def _auctions(self, intervals: Sequence[DeliveryInterval]) -> dict[int, HeldAuction]:
        """Return what was traded ahead, in the zones of the rules of then."""
        bases = {each.pk: self._rules[each.rule_set_id].base for each in intervals}
        forward = {id_: rules for id_, rules in bases.items() if rules.market.forward is not None}
        return dict(list_held_auctions(rules_of=forward)) if forward else {}

    def _packed(self, actual: Sequence[Nets], changed: Sequence[Nets]) -> bytes:
        """Return what each member's account came to on both sides, without the other parties."""
        columns = []
        for nets in (actual, changed):
            ids = [each.accounts for each in nets]
            amounts = [each.amounts for each in nets]
            columns.append((_joined(ids), _joined(amounts)))
        accounts = np.unique(np.concatenate([ids for ids, _ in columns]))
        others = self._accounts
        accounts = np.setdiff1d(
            accounts,
            [others.pool, others.supplier, others.platform, others.rounding, others.grid],
        )
        rows = [accounts, *(summed_by(accounts, ids, amounts) for ids, amounts in columns)]
        return zlib.compress(np.stack(rows).astype("<i8").tobytes(), 1)


def unpacked_members(packed: bytes) -> Int64Array:
    """Return a day's accounts, what they came to, and what they might have; three rows."""
    numbers = np.frombuffer(zlib.decompress(packed), dtype="<i8")
    return numbers.astype(np.int64).reshape(3, -1)


def _joined(parts: Sequence[Int64Array]) -> Int64Array:
    return np.concatenate([np.zeros(0, dtype=np.int64), *parts])


def _rules_of(what_if: WhatIf) -> dict[int, ChangedRules]:
    rule_sets = RuleSet.objects.filter(community=what_if.community_id)
    asked = {each["id"] for each in what_if.rules}
    return {
        each.pk: changed_rules(each.document, what_if.change)
        for each in rule_sets
        if each.pk in asked
    }


def _zone_map(community_id: int) -> ZoneMap:
    points = MeteringPoint.objects.filter(community_id=community_id).order_by("id")
    rows = list(points.values_list("id", "site__zone__code"))
    zones = sorted({zone for _, zone in rows})
    at = {zone: index for index, zone in enumerate(zones)}
    return ZoneMap(
        zones=zones,
        ids=np.array([id_ for id_, _ in rows], dtype=np.int64),
        zone_of=np.array([at[zone] for _, zone in rows], dtype=np.int64),
    )


def _books(
    revisions: Mapping[int, int],
) -> tuple[dict[int, IntervalBook], dict[int, IntervalBook]]:
    """Return the books of intervals' revisions; and the last that was cleared, if it is another."""
    found = Clearing.objects.filter(interval__in=list(revisions)).order_by("interval", "revision")
    last: dict[int, int] = {}
    kept = found.exclude(reason=Clearing.Reason.AFTER_DEADLINE)
    for interval_id, revision in kept.values_list("interval_id", "revision"):
        if revision <= revisions[interval_id]:
            last[interval_id] = revision
    wanted = Q()
    for interval_id, revision in revisions.items():
        wanted |= Q(interval=interval_id, revision__in={revision, last[interval_id]})
    latest, cleared = {}, {}
    rows = found.filter(wanted).values_list("interval_id", "revision", "book")
    for interval_id, revision, packed in rows.iterator(chunk_size=_AT_ONCE):
        book = IntervalBook.unpacked(bytes(packed))
        if revision == revisions[interval_id]:
            latest[interval_id] = book
        else:
            cleared[interval_id] = book
    return latest, cleared
