"""What the analytics API answers: the fields of each figure, and what all answers begin with."""

from typing import Any

from rest_framework import serializers


class EnergiesOut(serializers.Serializer[Any]):
    """Energies of a community or a zone over a time. [Wh]"""

    of = serializers.CharField(help_text="community:N or zone:N.")
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    interval_count = serializers.IntegerField()
    meters_min = serializers.IntegerField(help_text="Fewest meters in any of the intervals.")
    import_wh = serializers.IntegerField()
    export_wh = serializers.IntegerField()
    bought_wh = serializers.IntegerField(help_text="From other members.")
    sold_wh = serializers.IntegerField(help_text="To other members.")
    grid_import_wh = serializers.IntegerField()
    grid_export_wh = serializers.IntegerField()
    self_sufficiency = serializers.FloatField(allow_null=True, help_text="Bought / import.")
    self_consumption = serializers.FloatField(allow_null=True, help_text="Sold / export.")
    price_micro_per_kwh = serializers.IntegerField(
        allow_null=True, help_text="Mean clearing price; null: nothing was traded at one."
    )


class PriceOut(serializers.Serializer[Any]):
    """Price and tariffs of a day or an hour. [micro/kWh]"""

    of = serializers.CharField(source="energies.of")
    start = serializers.DateTimeField(source="energies.start")
    end = serializers.DateTimeField(source="energies.end")
    day = serializers.DateField(help_text="Civil day.")
    price_micro_per_kwh = serializers.IntegerField(
        source="energies.price_micro_per_kwh", allow_null=True
    )
    priced_wh = serializers.IntegerField(
        source="energies.priced_wh", help_text="Energy that the price is of."
    )
    retail_micro_per_kwh = serializers.IntegerField()
    feed_in_micro_per_kwh = serializers.IntegerField()


class FlowOut(serializers.Serializer[Any]):
    """Energy from a group in a zone to a group in a zone.

    Zone 0 is the grid, zone -1 all zones that do not stand alone; an empty group is everybody.
    """

    from_zone_id = serializers.IntegerField()
    from_group = serializers.CharField(allow_blank=True)
    to_zone_id = serializers.IntegerField()
    to_group = serializers.CharField(allow_blank=True)
    energy_wh = serializers.IntegerField(source="wh")
    value_micro = serializers.IntegerField(help_text="What buyers paid for it, without fees.")


class LinkOut(serializers.Serializer[Any]):
    """A link between two zones over the time."""

    from_zone_id = serializers.IntegerField()
    to_zone_id = serializers.IntegerField()
    sent_wh = serializers.IntegerField()
    received_wh = serializers.IntegerField()
    lost_wh = serializers.IntegerField()
    limit_wh = serializers.IntegerField(allow_null=True, help_text="Null: some had no limit.")
    congested_minutes = serializers.IntegerField()
    rent_micro = serializers.IntegerField()


class MarketHealthOut(serializers.Serializer[Any]):
    """How the market did over the time."""

    interval_count = serializers.IntegerField()
    offered_wh = serializers.IntegerField()
    wanted_wh = serializers.IntegerField()
    traded_wh = serializers.IntegerField()
    agreed_wh = serializers.IntegerField()
    unmatched_wh = serializers.IntegerField()
    value_micro = serializers.IntegerField()
    lost_wh = serializers.IntegerField()
    rent_micro = serializers.IntegerField()
    congested_minutes = serializers.IntegerField()
    missing_count = serializers.IntegerField()
    left_out_count = serializers.IntegerField()
    seller_hhi = serializers.IntegerField(allow_null=True, help_text="0 to 10,000.")
    buyer_hhi = serializers.IntegerField(allow_null=True, help_text="0 to 10,000.")
    sellers_mean = serializers.FloatField(allow_null=True)
    buyers_mean = serializers.FloatField(allow_null=True)


class SavingsOut(serializers.Serializer[Any]):
    """How a month's savings are spread over a group; an empty group is all members."""

    month = serializers.DateField()
    group = serializers.CharField(allow_blank=True)
    member_count = serializers.IntegerField()
    trading_count = serializers.IntegerField()
    gaining_count = serializers.IntegerField()
    saved_micro = serializers.IntegerField()
    alone_micro = serializers.IntegerField(help_text="What the grid alone would have come to.")
    deciles_ppm = serializers.ListField(
        child=serializers.IntegerField(), help_text="Savings over the bill alone, 10 % … 90 %."
    )
    gini_ppm = serializers.IntegerField(allow_null=True)


class CarbonOut(serializers.Serializer[Any]):
    """What trading spared the air. [mg of CO2-equivalent]"""

    avoided_mg = serializers.IntegerField()
    drawn_mg = serializers.IntegerField(help_text="Of what came from the grid.")
    bought_wh = serializers.IntegerField(help_text="Energy with a known intensity.")
    grid_import_wh = serializers.IntegerField(help_text="The same from the grid.")
    unknown_wh = serializers.IntegerField(help_text="Left out: no intensity is known.")
    known_hours = serializers.IntegerField()
    unknown_hours = serializers.IntegerField()
    sources = serializers.ListField(child=serializers.CharField())


class PeakOut(serializers.Serializer[Any]):
    """Highest mean power from the grid in a delivery interval. [W]"""

    import_w = serializers.IntegerField()
    import_day = serializers.DateField()
    alone_w = serializers.IntegerField(help_text="If nobody had traded.")
    alone_day = serializers.DateField()
    change_w = serializers.IntegerField()


class RuleSetNameOut(serializers.Serializer[Any]):
    """Rules that figures were made under."""

    version = serializers.IntegerField()
    sha256 = serializers.CharField()
    effective_from = serializers.DateTimeField()


class BasisOut(serializers.Serializer[Any]):
    """What figures were made from."""

    as_of = serializers.DateTimeField(allow_null=True, help_text="When they were released.")
    interval_count = serializers.IntegerField()
    settled_count = serializers.IntegerField()
    final_count = serializers.IntegerField()
    missing_count = serializers.IntegerField(help_text="Readings that never came.")


class AnswerOut(serializers.Serializer[Any]):
    """What every answer begins with."""

    community_id = serializers.IntegerField()
    currency = serializers.CharField()
    first = serializers.DateField(help_text="Civil day of the community.")
    last = serializers.DateField(help_text="Included.")
    minimum_group_size = serializers.IntegerField()
    basis = BasisOut()
    rule_sets = RuleSetNameOut(many=True)
