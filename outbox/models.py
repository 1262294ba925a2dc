"""The tables of the outbox, as Django sees them.

Their SQL is in the migrations, their writers are `append`, `relay` and `delivery`.
"""

from django.db import models

from .publishers.models import PublisherRow, WebhookDelivery, WebhookEndpoint
from .standing_models import CheckpointStanding, GenerationStanding, RebuildRecord, VerificationRecord

__all__ = [
    "CheckpointStanding",
    "DeadLetter",
    "Generation",
    "GenerationStanding",
    "LoggedEvent",
    "OperatorAction",
    "OutboxMessage",
    "PublisherRow",
    "RebuildRecord",
    "VerificationRecord",
    "WebhookDelivery",
    "WebhookEndpoint",
]


class Envelope(models.Model):
    """The columns that the outbox and the event log share."""

    message_id = models.BigIntegerField()
    event_id = models.UUIDField()
    event_type = models.TextField()
    schema_version = models.SmallIntegerField()
    aggregate_type = models.TextField()
    aggregate_id = models.BigIntegerField()
    aggregate_version = models.BigIntegerField()
    payload = models.JSONField()
    metadata = models.JSONField()
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()

    class Meta:
        abstract = True


class OutboxMessage(Envelope):
    """A message that the relay has not numbered yet."""

    message_id = models.BigIntegerField(primary_key=True)

    class Meta:
        managed = False
        db_table = "outbox"
        verbose_name = "message in the outbox"
        verbose_name_plural = "messages in the outbox"

    def __str__(self) -> str:
        return f"{self.event_type} {self.aggregate_type}:{self.aggregate_id} v{self.aggregate_version}"


class LoggedEvent(Envelope):
    """An event of the log, at its position for ever."""

    position = models.BigIntegerField(primary_key=True)

    class Meta:
        managed = False
        db_table = "event_log"
        verbose_name = "event"

    def __str__(self) -> str:
        return f"{self.position} {self.event_type} {self.aggregate_type}:{self.aggregate_id} v{self.aggregate_version}"


class Generation(models.Model):
    """One set of tables of a projection, with the fold statements that it was built with.

    `statements` is a list of `{"table": "read_x_g1", "sql": "… {table} …"}`; any worker feeds any generation from it.
    """

    class State(models.TextChoices):
        BUILDING = "building"
        LIVE = "live"
        KEPT = "kept"

    pk = models.CompositePrimaryKey("projection", "generation")
    projection = models.TextField()
    generation = models.IntegerField()
    version = models.IntegerField()
    state = models.TextField(choices=State.choices)
    statements = models.JSONField()
    statements_hash = models.TextField()
    created_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "projection_generations"

    def __str__(self) -> str:
        return f"{self.projection} generation {self.generation} ({self.state})"


class DeadLetter(models.Model):
    """An event that a subscriber could not take in; `outbox.dead_letters` writes and reads them."""

    class State(models.TextChoices):
        WAITING = "waiting"
        PARKED = "parked"
        DELIVERED = "delivered"
        SKIPPED = "skipped"

    dead_letter_id = models.BigIntegerField(primary_key=True)
    subscriber = models.TextField()
    generation = models.IntegerField()
    position = models.BigIntegerField()
    event_type = models.TextField()
    schema_version = models.SmallIntegerField()
    aggregate_type = models.TextField()
    aggregate_id = models.BigIntegerField()
    aggregate_version = models.BigIntegerField()
    state = models.TextField(choices=State.choices)
    attempts = models.IntegerField()
    error_type = models.TextField()
    error_message = models.TextField()
    fingerprint = models.TextField()
    first_failed_at = models.DateTimeField()
    last_failed_at = models.DateTimeField()
    next_attempt_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "dead_letters"
        verbose_name = "dead letter"

    def __str__(self) -> str:
        return (
            f"{self.subscriber}: {self.event_type} {self.aggregate_type}:{self.aggregate_id} ({self.state})"
        )


class OperatorAction(models.Model):
    """What somebody did to delivery, and why; `outbox.actions` writes it."""

    action_id = models.BigIntegerField(primary_key=True)
    acted_at = models.DateTimeField()
    actor = models.TextField()
    action = models.TextField()
    subject = models.TextField()
    reason = models.TextField()
    details = models.JSONField()

    class Meta:
        managed = False
        db_table = "operator_actions"
        verbose_name = "operator's action"
        verbose_name_plural = "operators' actions"

    def __str__(self) -> str:
        return f"{self.actor}: {self.action} {self.subject}"
