"""Structured logs: one JSON object a line on standard output, times from the service's clock.

A line that is written within a span carries its `trace_id` and `span_id`, one about a trade the trade's `signal_id`.
"""

import logging
import sys

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from common.runtime.clock import Clock
from common.runtime.tracing import log_ids


def configure_logging(service: str, level: str, clock: Clock) -> None:
    """Sends structlog and the standard library's warnings through one JSON renderer."""

    def stamp(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["at"] = clock.now().isoformat(timespec="milliseconds")
        event["service"] = service
        event.update(log_ids())
        return event

    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        stamp,
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*processors, structlog.processors.JSONRenderer(default=str)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=False,  # a cached logger keeps writing where an earlier configuration said
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=processors,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(default=str),
        ],
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
