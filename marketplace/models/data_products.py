"""What is sold in the data market: products, their immutable versions, and where they stand."""

from django.contrib.postgres.fields import DateRangeField, IntegerRangeField
from django.contrib.postgres.indexes import GinIndex, GistIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import F, Q

from marketplace.models.people import Participant


class DataFormat(models.TextChoices):
    """What a product's bytes are, as `gate` recognises them."""

    TRIPS = "trips", "trips"
    COUNTS = "counts", "traffic counts"
    GTFS = "gtfs", "GTFS"
    GTFS_RT = "gtfs-rt", "GTFS-Realtime"
    GBFS = "gbfs", "GBFS"
    DATEX = "datex", "DATEX II"


class DataProduct(models.Model):
    """Something a provider sells: a file in versions, or a live feed.

    Title and description are the provider's words, in their ``language``. Price, service level and
    policy are canonical JSON values, see ``marketplace.domain.data``; a contract copies them.
    """

    class Kind(models.IntegerChoices):
        FILE = 1, "file"
        FEED = 2, "feed"

    class State(models.IntegerChoices):
        DRAFT = 1, "draft"
        LISTED = 2, "listed"
        WITHDRAWN = 3, "withdrawn"

    provider = models.ForeignKey(Participant, models.PROTECT, related_name="data_products")
    kind = models.SmallIntegerField(choices=Kind)
    format = models.CharField(max_length=16, choices=DataFormat)
    state = models.SmallIntegerField(choices=State, default=State.DRAFT)
    language = models.CharField(max_length=8, default="en")
    title = models.CharField(max_length=200)
    description = models.TextField(default="")
    keywords = models.JSONField(default=list)
    theme = models.CharField(max_length=64, help_text="mobilityDCAT-AP theme, its last part.")
    frequency = models.CharField(max_length=32, help_text="EU vocabulary of frequencies.")
    licence = models.CharField(max_length=64, help_text="Key of marketplace.domain.data.licences.")
    currency = models.CharField(max_length=3)
    price = models.JSONField(help_text="See marketplace.domain.data.prices.")
    shares = models.JSONField(
        default=list, help_text="Revenue shares: participant and ppm; the rest is the provider's."
    )
    policy = models.JSONField(help_text="Purposes, duties, prohibitions; see domain.data.policy.")
    service_level = models.JSONField(default=dict, help_text="Promises; see domain.data.service.")
    privacy_policy = models.JSONField(
        default=dict, help_text="What the gate was told; {}: nothing about people in it."
    )
    reading = models.JSONField(
        default=dict, help_text="How its files are read: columns by role, time zone, docked."
    )
    query_budget_micro_epsilon = models.BigIntegerField(
        default=0, help_text="Over all buyers, for queries with noise; 0: none are answered."
    )
    source_url = models.TextField(default="", help_text="Of a feed: where the hall fetches it.")
    accepts_automatically = models.BooleanField(
        default=True, help_text="The hall signs for the provider, whose key it holds."
    )
    is_for_planning = models.BooleanField(
        default=False, help_text="The provider licenses it for the city's public indicators."
    )
    created_at = models.DateTimeField()
    listed_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind=1, source_url="") | Q(kind=2) & ~Q(source_url=""),
                name="data_product_feed_has_source",
            ),
            models.CheckConstraint(
                condition=Q(query_budget_micro_epsilon__gte=0),
                name="data_product_budget_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(state=1)
                | Q(state=2, listed_at__isnull=False)
                | Q(state=3, withdrawn_at__isnull=False),
                name="data_product_state_has_time",
            ),
        ]
        indexes = [
            models.Index(fields=["provider", "-id"], name="data_product_of_provider"),
            models.Index(fields=["id"], condition=Q(state=2), name="data_product_listed"),
        ]

    def __str__(self) -> str:
        return f"data product {self.pk}"


class DataVersion(models.Model):
    """One immutable version: of a file its package, of a feed what was validated when it came in.

    ``manifest`` is canonical bytes (`gate.manifest`), its hash what contracts pin and the log says.
    """

    class State(models.IntegerChoices):
        WORKING = 1, "working"
        READY = 2, "ready"
        REFUSED = 3, "refused"

    product = models.ForeignKey(DataProduct, models.PROTECT, related_name="versions")
    number = models.IntegerField()
    state = models.SmallIntegerField(choices=State, default=State.WORKING)
    note = models.TextField(default="", help_text="What the provider says is new.")
    refusal = models.JSONField(default=dict, help_text="What was wrong and what to do: code, text.")
    progress = models.JSONField(default=dict, help_text="Step and share, while working.")
    manifest = models.BinaryField(null=True)
    manifest_sha256 = models.CharField(max_length=64, default="")
    package = models.CharField(
        max_length=64, default="", help_text="Folder of the sealed package; hex of its id."
    )
    sealed_key = models.BinaryField(
        null=True, help_text="The package's key, sealed to the hall's deposit key (HPKE)."
    )
    key_commitment = models.CharField(max_length=64, default="")
    byte_count = models.BigIntegerField(default=0, help_text="Of the parts, unencrypted.")
    row_count = models.BigIntegerField(default=0)
    profile = models.JSONField(default=dict, help_text="See gate.profile: columns, coverage, time.")
    privacy_report = models.JSONField(default=dict, help_text="See gate.report.")
    findings = models.JSONField(default=list, help_text="Of the format's validator.")
    sample = models.JSONField(default=dict, help_text="Header and a few published rows.")
    gated_at_home = models.BooleanField(default=False)
    raw_deleted_at = models.DateTimeField(
        null=True, help_text="When the quarantined upload was destroyed; the provider is told."
    )
    created_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["product", "number"], name="data_version_number"),
            models.CheckConstraint(
                condition=~Q(state=2)
                | Q(manifest__isnull=False, published_at__isnull=False) & ~Q(manifest_sha256=""),
                name="data_version_ready_has_manifest",
            ),
            # Whoever packs at home chooses the id: it must never be that of another's package.
            models.UniqueConstraint(
                fields=["package"], condition=~Q(package=""), name="data_version_own_package"
            ),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(state=1), name="data_version_working"),
        ]

    def __str__(self) -> str:
        return f"{self.product_id} version {self.number}"


class DataFacet(models.Model):
    """A listed product as search sees it: narrow, so that counting all of them is fast."""

    product = models.OneToOneField(
        DataProduct, models.PROTECT, primary_key=True, related_name="facet"
    )
    longitude = IntegerRangeField(help_text="Covered, in microdegrees.")
    latitude = IntegerRangeField()
    period = DateRangeField(help_text="Covered days; open end: a live feed.")
    resolution_s = models.IntegerField(help_text="Length of one value; 0: single events.")
    kind = models.SmallIntegerField()
    format = models.SmallIntegerField()
    age_band = models.SmallIntegerField()
    price_band = models.SmallIntegerField()
    quality_band = models.SmallIntegerField()
    price_micro = models.BigIntegerField(help_text="For one month, or once; 0: free.")
    currency = models.CharField(max_length=3)
    age_s = models.BigIntegerField(null=True, help_text="How old its newest data is, as measured.")
    quality_ppm = models.IntegerField(
        null=True, help_text="See marketplace.domain.data.quality; NULL: not measured."
    )
    updated_at = models.DateTimeField(help_text="Listed, or its newest version.")

    class Meta:
        indexes = [
            GistIndex(fields=["longitude", "latitude", "period"], name="data_facet_where_when"),
            models.Index(fields=["price_micro", "product"], name="data_facet_price"),
        ]

    def __str__(self) -> str:
        return f"facet of {self.product_id}"


class CatalogueChange(models.Model):
    """One line of what happened in the catalogue; the feeds of changes are made of it."""

    class What(models.IntegerChoices):
        LISTED = 1, "listed"
        VERSION = 2, "new version"
        TERMS = 3, "price or licence changed"
        QUALITY = 4, "measured quality changed"
        WITHDRAWN = 5, "withdrawn"

    product = models.ForeignKey(DataProduct, models.PROTECT, related_name="changes")
    version = models.ForeignKey(DataVersion, models.PROTECT, null=True, related_name="+")
    what = models.SmallIntegerField(choices=What)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(what=2) | Q(version__isnull=False), name="catalogue_change_version"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_what_display()} {self.product_id}"


class CatalogueRecord(models.Model):
    """A listed product's record in the catalogue, written when it changes, joined when read."""

    product = models.OneToOneField(
        DataProduct, models.PROTECT, primary_key=True, related_name="record"
    )
    version = models.ForeignKey(DataVersion, models.PROTECT, null=True, related_name="+")
    terms_sha256 = models.CharField(max_length=64, help_text="Of what a change of terms changes.")
    words = SearchVectorField(help_text="See marketplace.domain.data.search_words.")
    turtle = models.TextField()
    json_ld = models.TextField()
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(changed_at__gte=F("created_at")), name="catalogue_record_times"
            ),
        ]
        indexes = [GinIndex(fields=["words"], name="catalogue_record_words")]

    def __str__(self) -> str:
        return f"record of {self.product_id}"
