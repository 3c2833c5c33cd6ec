"""Register what produces at metering points; without it no export is certified."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Max

from marketplace.errors import N_, Invalid, NameTaken, NotFound
from marketplace.models import (
    CertificateIssuance,
    Community,
    MeteringPoint,
    ProductionDevice,
)

CAPACITY_MAX_W = 10**10


@dataclass(frozen=True)
class NewDevice:
    """A device to be: where, what, how large, since when it produces."""

    meter: str
    technology: str
    capacity_w: int
    commissioned_on: date


@transaction.atomic
def register_devices(
    *, community_id: int, devices: Sequence[NewDevice], active_from: datetime, now: datetime
) -> None:
    """Register devices, all or none; their export is certified from ``active_from`` on.

    Raises
    ------
    Invalid
        If a figure cannot be, a metering point is unknown or named twice, or certificates of later
        intervals were issued already.
    NameTaken
        If a metering point has a device; end that one first.
    """
    community = Community.objects.select_for_update(no_key=True).get(id=community_id)
    for each in devices:
        _check(each, active_from, ZoneInfo(community.timezone))
    _check_not_issued(community_id, active_from)
    meters = [each.meter for each in devices]
    points = dict(
        MeteringPoint.objects.filter(community=community, code__in=meters).values_list("code", "id")
    )
    unknown = sorted(set(meters) - set(points))
    if unknown or len(set(meters)) < len(meters):
        raise Invalid(
            "meter",
            N_("The community has no metering point {meter}, or it was named twice."),
            meter=unknown[0] if unknown else max(meters, key=meters.count),
        )
    taken = ProductionDevice.objects.filter(
        metering_point__in=points.values(), active_until=None
    ) | ProductionDevice.objects.filter(
        metering_point__in=points.values(), active_until__gt=active_from
    )
    if found := taken.values_list("metering_point__code", flat=True).first():
        raise NameTaken(N_("Metering point {meter} has a device; end it first."), meter=found)
    ProductionDevice.objects.bulk_create(
        ProductionDevice(
            metering_point_id=points[each.meter],
            technology=each.technology,
            capacity_w=each.capacity_w,
            commissioned_on=each.commissioned_on,
            active_from=active_from,
            registered_at=now,
        )
        for each in devices
    )


@transaction.atomic
def end_device(*, device_id: int, active_until: datetime) -> None:
    """End a device: what is exported from then on is not certified any more.

    Raises
    ------
    NotFound
        If there is no such device in use.
    Invalid
        If it began later, or certificates of later intervals were issued already.
    """
    device = (
        ProductionDevice.objects.select_for_update(no_key=True)
        .filter(id=device_id, active_until=None)
        .select_related("metering_point")
        .first()
    )
    if device is None:
        raise NotFound(N_("There is no such device in use."))
    if active_until < device.active_from:
        raise Invalid("active_until", N_("It must not end before it began."))
    _check_not_issued(device.metering_point.community_id, active_until)
    ProductionDevice.objects.filter(id=device_id).update(active_until=active_until)


def _check(device: NewDevice, active_from: datetime, zone: ZoneInfo) -> None:
    if device.technology not in ProductionDevice.Technology.values:
        raise Invalid(
            "technology",
            N_("The technology must be one of {known}."),
            known=", ".join(ProductionDevice.Technology.values),
        )
    if not 0 < device.capacity_w <= CAPACITY_MAX_W:
        raise Invalid(
            "capacity_w",
            N_("The capacity must lie in 1..{maximum} W."),
            maximum=CAPACITY_MAX_W,
        )
    if device.commissioned_on > active_from.astimezone(zone).date():
        raise Invalid("commissioned_on", N_("Nothing is certified before the device produces."))


def _check_not_issued(community_id: int, moment: datetime) -> None:
    """Refuse what would change certificates of the past: they are issued once."""
    issued = CertificateIssuance.objects.filter(
        interval__community=community_id, interval__starts_at__gte=moment
    ).aggregate(last=Max("interval__ends_at"))
    if issued["last"] is not None:
        raise Invalid(
            "active_from",
            N_("Certificates are issued up to {last}; choose that moment or a later one."),
            last=issued["last"].isoformat(),
        )
