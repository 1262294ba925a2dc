"""What the admin shows of generations, checkpoints, rebuilds and verifications; nobody writes by these models."""

from django.db import models


class GenerationStanding(models.Model):
    """A generation and where it stands."""

    standing_id = models.TextField(primary_key=True)
    projection = models.TextField()
    generation = models.IntegerField()
    version = models.IntegerField()
    state = models.TextField()
    statements_hash = models.TextField()
    position = models.BigIntegerField()
    created_at = models.DateTimeField()
    drop_after = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "generation_standings"
        verbose_name = "generation"

    def __str__(self) -> str:
        return f"{self.projection} generation {self.generation} ({self.state})"


class CheckpointStanding(models.Model):
    """The newest checkpoint of a subscriber's generation, or of a publisher's partition."""

    standing_id = models.TextField(primary_key=True)
    subscriber = models.TextField()
    generation = models.IntegerField()
    position = models.BigIntegerField()
    moved_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "checkpoint_standings"
        verbose_name = "checkpoint"

    def __str__(self) -> str:
        return f"{self.standing_id} at {self.position}"


class RebuildRecord(models.Model):
    """One rebuild of a read model: how far it is, or how it ended."""

    rebuild_id = models.BigIntegerField(primary_key=True)
    projection = models.TextField()
    generation = models.IntegerField()
    phase = models.TextField()
    events_done = models.BigIntegerField()
    events_total = models.BigIntegerField()
    folding_seconds = models.FloatField()
    actor = models.TextField()
    reason = models.TextField()
    worker = models.TextField()
    error = models.TextField()
    cancel_requested = models.BooleanField()
    started_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "projection_rebuilds"
        verbose_name = "rebuild"

    def __str__(self) -> str:
        return f"{self.projection} generation {self.generation} ({self.phase})"


class VerificationRecord(models.Model):
    """One verification of a read model: what was compared, what differed."""

    verification_id = models.BigIntegerField(primary_key=True)
    projection = models.TextField()
    generation = models.IntegerField()
    shadow = models.IntegerField()
    position = models.BigIntegerField()
    rows_compared = models.BigIntegerField()
    rows_different = models.BigIntegerField()
    rows_repaired = models.BigIntegerField()
    findings = models.JSONField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "projection_verifications"
        verbose_name = "verification"

    def __str__(self) -> str:
        return f"{self.projection} at {self.position}: {self.rows_different} rows differ"
