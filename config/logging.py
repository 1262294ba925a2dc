"""Structured logging: one readable line on a console, or one JSON object a line with LOG_FORMAT=json."""

from typing import Any

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

SHARED_PROCESSORS: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.processors.StackInfoRenderer(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure_structlog() -> None:
    """Hand structlog's events to the standard library's handlers."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            _drop_start_of_request,
            *SHARED_PROCESSORS,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def logging_settings(log_format: str, level: str) -> dict[str, Any]:
    """Build Django's LOGGING for a format, `console` or `json`."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "lines": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": SHARED_PROCESSORS,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    *_renderers(log_format),
                ],
            },
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"handlers": [], "propagate": True},
            "django.request": {"level": "ERROR"},
            "django_structlog": {"level": level},
            "rq": {"level": "WARNING"},
        },
    }


def _renderers(log_format: str) -> list[Processor]:
    """Return what writes a line. A traceback shows code and no values of variables: some of them are passwords."""
    if log_format == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_json)]
    console = structlog.dev.ConsoleRenderer(
        colors=False, pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
    )
    return [_drop_time, console]


def _drop_start_of_request(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """One line a request is enough: the one that says how it ended."""
    if event["event"] == "request_started":
        raise structlog.DropEvent
    return event


def _drop_time(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Leave the time to the terminal, or to what collects the lines."""
    event.pop("timestamp", None)
    return event


def _json(value: Any, **_: Any) -> str:
    return orjson.dumps(value, default=str).decode()
