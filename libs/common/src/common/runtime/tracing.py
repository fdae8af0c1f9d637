"""Traces: one a trade, from the observation that began it to the last fill of its close.

A context travels as the W3C's `traceparent`: in the headers of HTTP requests and of messages, in the outbox row of a
message that is still to be sent, and in the row of the trade, so that what happens to a trade a week later, or after
a restart, still belongs to its trace. Spans leave the process only where OTEL_EXPORTER_OTLP_ENDPOINT is set (the
standard variables of OpenTelemetry hold); ids are drawn all the same, because the log lines carry them.
"""

import contextlib
import functools
import os
import re
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags

from common.runtime.settings import SettingsError

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
EXPORT_SECONDS_MAX = 2.0
"""How long a collector that is away may hold up the end of a process."""
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
_Work = Callable[Parameters, Coroutine[Any, Any, Result]]

_tracer: trace.Tracer = trace.NoOpTracer()
_is_exported = False


def configure_tracing(service: str, exporter: SpanExporter | None = None) -> TracerProvider:
    """Traces what this process does under the name of the service; `shutdown` of the result sends what is left.

    Without an `exporter` the environment decides: spans go to the OTLP endpoint that it names, or nowhere.

    Raises:
        SettingsError: the endpoint is no address.
    """
    global _tracer, _is_exported
    exporter = exporter or _otlp_exporter(os.environ)
    # Every span that is begun is sent: a trade that was opened while nobody collected has no reason to stay unseen.
    sampler = None if "OTEL_TRACES_SAMPLER" in os.environ else ALWAYS_ON
    resource = Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", service)})
    provider = TracerProvider(ALWAYS_OFF if exporter is None else sampler, resource, shutdown_on_exit=False)
    if exporter is not None:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracer, _is_exported = provider.get_tracer("tandem"), exporter is not None
    return provider


def forget_tracing() -> None:
    """Back to no tracing at all."""
    global _tracer, _is_exported
    _tracer, _is_exported = trace.NoOpTracer(), False


def _otlp_exporter(environment: Mapping[str, str]) -> SpanExporter | None:
    named = {name: environment[name] for name in ENDPOINTS if environment.get(name)}
    for name, value in named.items():
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SettingsError(f"{name}={value!r}: allowed is http://host:port or https://host:port of a collector")
    if not named or environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(timeout=None if "OTEL_EXPORTER_OTLP_TIMEOUT" in environment else EXPORT_SECONDS_MAX)


def traceparent() -> str | None:
    """The current span as the value of a `traceparent` header; None outside of any."""
    here = trace.get_current_span().get_span_context()
    if not here.is_valid:
        return None
    return f"00-{here.trace_id:032x}-{here.span_id:016x}-{here.trace_flags:02x}"


def span(
    name: str,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    parent: str | None = None,
    links: Sequence[Link] = (),
    attributes: Mapping[str, str | int | float] | None = None,
) -> contextlib.AbstractContextManager[Span]:
    """A span around a block: of the trace of `parent` (a `traceparent`), else of the current one, else a new trace."""
    return _tracer.start_as_current_span(name, _remote(parent), kind, attributes, links)


def step(name: str) -> Callable[[_Work[Parameters, Result]], _Work[Parameters, Result]]:
    """Shows each call of a coroutine function as a part of whatever is traced when it is called."""

    def decorate(work: _Work[Parameters, Result]) -> _Work[Parameters, Result]:
        @functools.wraps(work)
        async def shown(*arguments: Parameters.args, **named: Parameters.kwargs) -> Result:
            if not trace.get_current_span().is_recording():
                return await work(*arguments, **named)
            with span(name):
                return await work(*arguments, **named)

        return shown

    return decorate


def note(**attributes: str) -> None:
    """Adds what a reader of the trace wants to know to the current span."""
    trace.get_current_span().set_attributes(attributes)


@contextlib.contextmanager
def about_trade(signal_id: int, of_trade: str | None) -> Iterator[None]:
    """Has every log line within carry the trade's id and trace, and everything traced belong to it.

    `of_trade` is the `traceparent` kept with the trade.
    """
    with structlog.contextvars.bound_contextvars(signal_id=signal_id):
        context = _span_context(of_trade)
        if context is None:
            yield
            return
        with trace.use_span(NonRecordingSpan(context)):
            yield


@contextlib.contextmanager
def trade_span(name: str, signal_id: int, of_trade: str | None) -> Iterator[Span]:
    """Work on one trade: a span of the trade's own trace, and the trade's id on every log line within.

    `of_trade` is the `traceparent` kept with the trade. What asked for the work from another trace, an operator's
    request for example, is linked.
    """
    here = trace.get_current_span().get_span_context()
    own = _span_context(of_trade)
    is_elsewhere = own is not None and own.trace_id != here.trace_id
    links = [Link(here)] if is_elsewhere and here.is_valid else []
    parent = of_trade if is_elsewhere else None
    with (
        structlog.contextvars.bound_contextvars(signal_id=signal_id),
        span(name, parent=parent, links=links, attributes={"signal_id": signal_id}) as opened,
    ):
        yield opened


def message_traceparents(subjects: Sequence[str]) -> list[str | None]:
    """What each new message is to carry. A message on its own goes on with the current trace.

    Messages that come into being together, as from a round of the scanner, are stories of their own: each begins a
    trace, linked to what made them all.
    """
    here = trace.get_current_span().get_span_context()
    if len(subjects) == 1 and here.is_valid:
        return [traceparent()]
    if not _is_exported:
        return [None] * len(subjects)
    links = [Link(here)] if here.is_valid else []
    made: list[str | None] = []
    for subject in subjects:
        begun = _tracer.start_span(f"create {subject}", Context(), SpanKind.PRODUCER, links=links)
        with trace.use_span(begun, end_on_exit=True):
            made.append(traceparent())
    return made


def log_ids() -> Mapping[str, str]:
    """`trace_id` and `span_id` of the current span for a log line; nothing outside of any."""
    here = trace.get_current_span().get_span_context()
    return {"trace_id": f"{here.trace_id:032x}", "span_id": f"{here.span_id:016x}"} if here.is_valid else {}


def _span_context(text: str | None) -> SpanContext | None:
    """A `traceparent` that somebody sent; None of none, and of one that is malformed."""
    found = _TRACEPARENT.fullmatch(text or "")
    if found is None:
        return None
    numbers = [int(part, 16) for part in found.groups()]
    context = SpanContext(numbers[0], numbers[1], True, TraceFlags(numbers[2]))
    return context if context.is_valid else None


def _remote(parent: str | None) -> Context | None:
    """The context that has `parent` as its current span; None, which means the current context, without one."""
    context = _span_context(parent)
    return None if context is None else trace.set_span_in_context(NonRecordingSpan(context))
