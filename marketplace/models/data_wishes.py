"""What buyers wish for in the data market, and how sellers answer."""

from django.contrib.postgres.fields import DateRangeField, IntegerRangeField
from django.db import models
from django.db.models import Q

from marketplace.models.data_products import DataFormat, DataProduct
from marketplace.models.people import Participant


class DataWish(models.Model):
    """A buyer's stated need: where, when, what, how fine, how fresh, at most for how much."""

    class State(models.IntegerChoices):
        OPEN = 1, "open"
        FULFILLED = 2, "fulfilled"
        ENDED = 3, "ended"

    buyer = models.ForeignKey(Participant, models.PROTECT, related_name="data_wishes")
    state = models.SmallIntegerField(choices=State, default=State.OPEN)
    title = models.CharField(max_length=200)
    format = models.CharField(max_length=16, choices=DataFormat)
    kind = models.SmallIntegerField(choices=DataProduct.Kind)
    longitude = IntegerRangeField(help_text="Wanted, in microdegrees.")
    latitude = IntegerRangeField()
    period = DateRangeField(help_text="Wanted days.")
    resolution_s = models.IntegerField(help_text="One value at least every so many seconds.")
    age_s = models.IntegerField(null=True, help_text="At most this old; NULL: any age.")
    minimum_group = models.IntegerField(
        default=0, help_text="At least this privacy: the smallest group that is shown."
    )
    limit_price_micro = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    deadline_at = models.DateTimeField()
    posted_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    matched_at = models.DateTimeField(null=True, help_text="When the matcher last looked.")

    class Meta:
        verbose_name_plural = "data wishes"
        constraints = [
            models.CheckConstraint(
                condition=Q(limit_price_micro__gte=0, resolution_s__gte=0, minimum_group__gte=0),
                name="data_wish_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(state=1) | Q(closed_at__isnull=False), name="data_wish_closed"
            ),
        ]
        indexes = [
            models.Index(fields=["buyer", "-id"], name="data_wish_of_buyer"),
            models.Index(fields=["deadline_at"], condition=Q(state=1), name="data_wish_open"),
        ]

    def __str__(self) -> str:
        return f"data wish {self.pk}"


class DataWishMatch(models.Model):
    """What the matcher found for a wish: one product, or the cheapest two that cover it together.

    ``uncovered_ppm`` is the share of area times period that stays uncovered, 0 for a whole match.
    """

    wish = models.ForeignKey(DataWish, models.CASCADE, related_name="matches")
    product = models.ForeignKey(DataProduct, models.PROTECT, related_name="+")
    second_product = models.ForeignKey(DataProduct, models.PROTECT, null=True, related_name="+")
    price_micro = models.BigIntegerField()
    uncovered_ppm = models.IntegerField(default=0)
    uncovered = models.JSONField(default=list, help_text="Boxes that stay uncovered, in words.")
    rank = models.SmallIntegerField()
    found_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "data wish matches"
        constraints = [
            models.UniqueConstraint(fields=["wish", "rank"], name="data_wish_match_rank"),
        ]

    def __str__(self) -> str:
        return f"match {self.rank} of wish {self.wish_id}"


class DataWishAnswer(models.Model):
    """A seller answers open demand with one of their products, at a price for this buyer."""

    class State(models.IntegerChoices):
        OPEN = 1, "open"
        TAKEN = 2, "taken"
        WITHDRAWN = 3, "withdrawn"

    wish = models.ForeignKey(DataWish, models.PROTECT, related_name="answers")
    product = models.ForeignKey(DataProduct, models.PROTECT, related_name="answers")
    state = models.SmallIntegerField(choices=State, default=State.OPEN)
    price_micro = models.BigIntegerField()
    note = models.TextField(default="")
    answered_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["wish", "product"], condition=Q(state=1), name="data_wish_answer_once"
            ),
            models.CheckConstraint(
                condition=Q(price_micro__gte=0), name="data_wish_answer_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"answer to wish {self.wish_id}"
