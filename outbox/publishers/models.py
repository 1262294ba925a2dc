"""Publishers, endpoints and deliveries as Django sees them; their SQL is in the migrations."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class PublisherRow(models.Model):
    """A subscriber outside this database."""

    subscriber = models.TextField(primary_key=True)
    kind = models.TextField()
    partitions = models.IntegerField(default=1)
    from_position = models.BigIntegerField(default=0)
    is_enabled = models.BooleanField(default=True)

    class Meta:
        managed = False
        db_table = "publishers"
        verbose_name = "publisher"

    def __str__(self) -> str:
        return self.subscriber


class WebhookEndpoint(models.Model):
    """Where an endpoint's webhooks go, and what it wants; an empty list of event types wants all of them."""

    subscriber = models.TextField(primary_key=True)
    url = models.TextField()
    description = models.TextField(default="")
    event_types = ArrayField(models.TextField(), default=list)
    with_personal = models.BooleanField(default=False)
    secret = models.TextField()
    previous_secret = models.TextField(default="")
    previous_secret_until = models.DateTimeField(null=True)
    disabled_reason = models.TextField(default="")
    created_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        managed = False
        db_table = "webhook_endpoints"
        permissions = [("reveal_webhook_secret", "Can see the secrets of webhook endpoints")]

    def __str__(self) -> str:
        return self.subscriber


class WebhookDelivery(models.Model):
    """One call to an endpoint; `position` is empty for a test event."""

    class Outcome(models.TextChoices):
        DELIVERED = "delivered"
        REFUSED = "refused"
        UNAVAILABLE = "unavailable"
        GONE = "gone"

    delivery_id = models.BigIntegerField(primary_key=True)
    subscriber = models.TextField(verbose_name="endpoint")
    position = models.BigIntegerField(null=True)
    event_id = models.UUIDField()
    event_type = models.TextField()
    aggregate_type = models.TextField()
    aggregate_id = models.BigIntegerField()
    aggregate_version = models.BigIntegerField()
    outcome = models.TextField(choices=Outcome.choices)
    response_status = models.SmallIntegerField(null=True)
    error = models.TextField(default="")
    duration_seconds = models.FloatField()
    attempted_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "webhook_deliveries"
        verbose_name_plural = "webhook deliveries"

    def __str__(self) -> str:
        return f"{self.event_type} to {self.subscriber}: {self.outcome}"
