"""Rollups: what settled intervals came to, by interval, hour, day and month.

Derived from the marketplace by `analytics.services.rollups`, and recomputable at any time.
"""

from django.db import models
from django.db.models import Q


class IntervalRollup(models.Model):
    """What one delivery interval of one zone came to, by its latest settled revision."""

    interval_id = models.BigIntegerField()
    zone_id = models.BigIntegerField()
    community_id = models.BigIntegerField()
    starts_at = models.DateTimeField()
    revision = models.SmallIntegerField(help_text="Revision of the clearing it was made from.")
    meter_count = models.IntegerField()
    import_wh = models.BigIntegerField()
    export_wh = models.BigIntegerField()
    bought_wh = models.BigIntegerField(help_text="Bought in the community's pool.")
    sold_wh = models.BigIntegerField(help_text="Sold into the community's pool.")
    grid_import_wh = models.BigIntegerField()
    grid_export_wh = models.BigIntegerField()
    priced_wh = models.BigIntegerField(help_text="Of what was bought: in the pool.")
    priced_micro = models.BigIntegerField(help_text="What that costs, without fees.")
    price_micro_per_kwh = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["interval_id", "zone_id"], name="rollup_once"),
        ]
        indexes = [
            models.Index(fields=["community_id", "starts_at"], name="rollup_by_time"),
        ]

    def __str__(self) -> str:
        return f"interval {self.interval_id} zone {self.zone_id}"


class MarketRollup(models.Model):
    """What the market of one interval was like, all zones together."""

    interval_id = models.BigIntegerField(primary_key=True)
    community_id = models.BigIntegerField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    revision = models.SmallIntegerField()
    rule_set_id = models.BigIntegerField()
    retail_micro_per_kwh = models.BigIntegerField()
    feed_in_micro_per_kwh = models.BigIntegerField()
    meter_count = models.IntegerField()
    missing_count = models.IntegerField()
    left_out_count = models.IntegerField()
    seller_count = models.IntegerField(help_text="Members that sold.")
    buyer_count = models.IntegerField(help_text="Members that bought.")
    offered_wh = models.BigIntegerField(help_text="Surplus of all meters.")
    wanted_wh = models.BigIntegerField(help_text="Demand of all meters.")
    traded_wh = models.BigIntegerField(help_text="Bought, agreements included.")
    agreed_wh = models.BigIntegerField(help_text="Of it by agreements.")
    value_micro = models.BigIntegerField(help_text="What it costs, without fees.")
    lost_wh = models.BigIntegerField(help_text="Sold and lost on the way between zones.")
    rent_micro = models.BigIntegerField(help_text="Congestion rent; 0 without zones.")
    congested_links = models.SmallIntegerField()
    seller_hhi = models.IntegerField(null=True, help_text="0 to 10,000; NULL: nothing sold.")
    buyer_hhi = models.IntegerField(null=True, help_text="0 to 10,000; NULL: nothing bought.")
    cleared_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["community_id", "starts_at"], name="market_rollup_by_time"),
        ]

    def __str__(self) -> str:
        return f"market of interval {self.interval_id}"


class DayRollup(models.Model):
    """State of a community's civil day: what its other rollups were made from, and whether due."""

    community_id = models.BigIntegerField()
    day = models.DateField(help_text="Civil day of the community's time zone.")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    interval_count = models.IntegerField(help_text="Intervals the market has of the day.")
    settled_count = models.IntegerField(help_text="Of them in the rollups.")
    final_count = models.IntegerField(help_text="Of them beyond their correction deadline.")
    missing_count = models.IntegerField(help_text="Readings that intervals were settled without.")
    rule_set_ids = models.JSONField(default=list)
    revision_sum = models.IntegerField(help_text="Of the intervals' revisions: grows when one is.")
    is_due = models.BooleanField(default=True, help_text="Intervals were rolled up since.")
    computed_at = models.DateTimeField(null=True)
    is_seeded = models.BooleanField(
        default=False, help_text="Of a synthetic city's past: no interval is behind it."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["community_id", "day"], name="day_rollup_once"),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(is_due=True), name="day_rollup_due"),
        ]

    def __str__(self) -> str:
        return f"{self.day} of {self.community_id}"


class _Energies(models.Model):
    """Energies of a zone (0: all of the community) over a time. [Wh]"""

    community_id = models.BigIntegerField()
    zone_id = models.BigIntegerField(help_text="0: the community.")
    interval_count = models.IntegerField()
    meters_min = models.IntegerField(help_text="Fewest meters in any of the intervals.")
    import_wh = models.BigIntegerField()
    export_wh = models.BigIntegerField()
    bought_wh = models.BigIntegerField()
    sold_wh = models.BigIntegerField()
    grid_import_wh = models.BigIntegerField()
    grid_export_wh = models.BigIntegerField()
    priced_wh = models.BigIntegerField(help_text="Of what was bought: in the pool.")
    priced_micro = models.BigIntegerField(help_text="What that costs, without fees.")
    retail_micro_per_kwh = models.BigIntegerField(help_text="Mean over the intervals.")
    feed_in_micro_per_kwh = models.BigIntegerField(help_text="Mean over the intervals.")

    class Meta:
        abstract = True


class ZoneHour(_Energies):
    """A clock hour of a zone; interval rollups added up."""

    starts_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["community_id", "zone_id", "starts_at"], name="zone_hour_once"
            ),
        ]

    def __str__(self) -> str:
        return f"zone {self.zone_id} at {self.starts_at:%Y-%m-%dT%H:%MZ}"


class ZoneDay(_Energies):
    """A civil day of a zone; interval rollups added up, and what only a whole day has."""

    day = models.DateField()
    price_min_micro_per_kwh = models.BigIntegerField(null=True)
    price_max_micro_per_kwh = models.BigIntegerField(null=True)
    peak_import_w = models.BigIntegerField(help_text="Highest mean power drawn from the grid.")
    peak_alone_w = models.BigIntegerField(help_text="The same if nobody traded.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["community_id", "zone_id", "day"], name="zone_day_once"
            ),
        ]

    def __str__(self) -> str:
        return f"zone {self.zone_id} on {self.day}"


class FlowDay(models.Model):
    """Energy from a group in a zone to a group in a zone over a civil day.

    Groups are roles (``household``, ``enterprise`` …) and ``grid``, whose zone is 0.
    """

    community_id = models.BigIntegerField()
    day = models.DateField()
    from_zone_id = models.BigIntegerField()
    from_group = models.CharField(max_length=16)
    to_zone_id = models.BigIntegerField()
    to_group = models.CharField(max_length=16)
    wh = models.BigIntegerField()
    value_micro = models.BigIntegerField(help_text="What the energy cost its buyers, without fees.")
    from_count = models.IntegerField(help_text="Metering points it came from over the day.")
    to_count = models.IntegerField(help_text="Metering points it went to over the day.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "community_id",
                    "day",
                    "from_zone_id",
                    "from_group",
                    "to_zone_id",
                    "to_group",
                ],
                name="flow_day_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.from_group} to {self.to_group} on {self.day}"


class LinkDay(models.Model):
    """A link between two zones over a civil day."""

    community_id = models.BigIntegerField()
    day = models.DateField()
    from_zone_id = models.BigIntegerField()
    to_zone_id = models.BigIntegerField()
    sent_wh = models.BigIntegerField()
    received_wh = models.BigIntegerField()
    limit_wh = models.BigIntegerField(null=True, help_text="Summed; NULL: no limit.")
    congested_minutes = models.IntegerField()
    rent_micro = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["community_id", "day", "from_zone_id", "to_zone_id"], name="link_day_once"
            ),
        ]

    def __str__(self) -> str:
        return f"link {self.from_zone_id} to {self.to_zone_id} on {self.day}"


class MemberDay(models.Model):
    """A member's civil day: metered and traded energy, and the money of its transfers."""

    participant_id = models.BigIntegerField()
    community_id = models.BigIntegerField()
    day = models.DateField()
    interval_count = models.IntegerField(help_text="Settled intervals with a reading of theirs.")
    import_wh = models.BigIntegerField()
    export_wh = models.BigIntegerField()
    bought_wh = models.BigIntegerField()
    sold_wh = models.BigIntegerField()
    agreed_bought_wh = models.BigIntegerField()
    agreed_sold_wh = models.BigIntegerField()
    grid_import_wh = models.BigIntegerField()
    grid_export_wh = models.BigIntegerField()
    pool_sale_micro = models.BigIntegerField()
    grid_sale_micro = models.BigIntegerField()
    pool_purchase_micro = models.BigIntegerField(help_text="Negative: paid.")
    grid_purchase_micro = models.BigIntegerField(help_text="Negative: paid.")
    other_micro = models.BigIntegerField(help_text="Agreements, grid fees, deviations.")
    alone_micro = models.BigIntegerField(help_text="What the grid alone would have come to.")
    platform_fee_micro = models.BigIntegerField(
        default=0, help_text="Of pool_purchase_micro; negative: paid."
    )
    agreed_micro = models.BigIntegerField(
        default=0, help_text="Of other_micro: received less paid by agreement."
    )
    grid_fee_micro = models.BigIntegerField(
        default=0, help_text="Of other_micro: fees of the grid and of links."
    )
    alone_sale_micro = models.BigIntegerField(
        default=0, help_text="Of alone_micro: all export at the feed-in tariff."
    )
    agreed_sold_alone_micro = models.BigIntegerField(
        default=0, help_text="What was sold by agreement, at the feed-in tariff."
    )
    agreed_bought_alone_micro = models.BigIntegerField(
        default=0, help_text="What was bought by agreement, at the retail tariff."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["participant_id", "day"], name="member_day_once"),
        ]
        indexes = [
            models.Index(fields=["community_id", "day"], name="member_day_of_community"),
        ]

    def __str__(self) -> str:
        return f"{self.participant_id} on {self.day}"


class SavingsMonth(models.Model):
    """How what the market saved in a civil month is spread over a group of members."""

    community_id = models.BigIntegerField()
    month = models.DateField()
    group = models.CharField(max_length=16, help_text="A role; empty: all members.")
    member_count = models.IntegerField(help_text="Members with a reading.")
    trading_count = models.IntegerField(help_text="Of them those that bought or sold.")
    gaining_count = models.IntegerField(help_text="Of them those with savings above zero.")
    saved_micro = models.BigIntegerField()
    alone_micro = models.BigIntegerField()
    deciles_ppm = models.JSONField(
        help_text="Savings over the bill alone at 10 % … 90 % of members, in millionths."
    )
    gini_ppm = models.IntegerField(null=True, help_text="Of savings; NULL: nothing to spread.")
    computed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["community_id", "month", "group"], name="savings_month_once"
            ),
        ]

    def __str__(self) -> str:
        return f"savings of {self.community_id} in {self.month:%Y-%m}"
