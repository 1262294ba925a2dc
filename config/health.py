"""Whether this process lives (`/health/live`) and whether it can serve (`/health/ready`).

Ready needs the database and its migrations. Redis and delivery may be away, late, paused or in want of a person: then
the answer is 200 and `degraded`, because commands and queries work all the same.
"""

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from outbox import bell, lag
from outbox.exceptions import TablesAreLocked

REDIS_TIMEOUT_SECONDS = 0.05

_migrated: set[str] = set()


@require_safe
@never_cache
def live(_request: HttpRequest) -> JsonResponse:
    """Answer at all."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def ready(_request: HttpRequest) -> JsonResponse:
    """Answer 200 when requests can be served, 503 otherwise; say what is degraded, and nothing secret."""
    try:
        report = {"database": "ok", "migrations": _migrations()}
        if report["migrations"] == "ok":
            report |= {"redis": _redis(), "delivery": _delivery()}
    except DatabaseError:
        connection.close()
        report = {"database": "unreachable"}
    status = _status(report)
    return JsonResponse({"status": status, **report}, status=503 if status == "unavailable" else 200)


def _status(report: dict[str, str]) -> str:
    if report["database"] != "ok" or report["migrations"] != "ok":
        return "unavailable"
    return "ok" if report["redis"] == "ok" and report["delivery"] == "ok" else "degraded"


def _migrations() -> str:
    """Compare the migrations; what is applied once stays so, and is not looked up again."""
    if not _migrated:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            return "not applied"
        _migrated.add(connection.alias)
    return "ok"


def _delivery() -> str:
    try:
        return lag.worst().name.lower()
    except TablesAreLocked:
        return "locked"


def _redis() -> str:
    try:
        bell.client(settings.REDIS_URL, REDIS_TIMEOUT_SECONDS).ping()
    except (redis.RedisError, OSError):
        return "unreachable"
    return "ok"
