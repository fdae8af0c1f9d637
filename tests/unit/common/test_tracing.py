"""Traces: what belongs to which, how it travels, and what the log says of it."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from common.runtime import tracing
from common.runtime.clock import SystemClock
from common.runtime.logging import configure_logging
from common.runtime.settings import SettingsError

CALLER = f"00-{'a' * 32}-{'b' * 16}-01"
OF_TRADE = f"00-{'c' * 32}-{'d' * 16}-01"

Ended = Callable[[], dict[str, ReadableSpan]]


@pytest.fixture
def ended() -> Iterator[Ended]:
    """Traces into memory; gives the ended spans by name."""
    exporter = InMemorySpanExporter()
    provider: TracerProvider = tracing.configure_tracing("test", exporter)

    def spans() -> dict[str, ReadableSpan]:
        provider.force_flush()
        return {span.name: span for span in exporter.get_finished_spans()}

    yield spans
    provider.shutdown()
    tracing.forget_tracing()


@pytest.fixture
def ids_only() -> Iterator[None]:
    """As a service without a collector."""
    provider = tracing.configure_tracing("test")
    yield
    provider.shutdown()
    tracing.forget_tracing()


def trace_of(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


def parent_of(span: ReadableSpan) -> str | None:
    return f"{span.parent.span_id:016x}" if span.parent else None


def test_a_span_goes_on_with_the_trace_of_whoever_asked(ended: Ended) -> None:
    with tracing.span("asked", parent=CALLER):
        inner = tracing.traceparent()
    [span] = ended().values()
    assert (trace_of(span), parent_of(span)) == ("a" * 32, "b" * 16)
    assert inner is not None
    assert inner.startswith(f"00-{'a' * 32}-")
    assert tracing.traceparent() is None


@pytest.mark.parametrize("text", ["", "00-xyz", f"00-{'0' * 32}-{'b' * 16}-01", f"00-{'a' * 32}-{'b' * 16}", None])
def test_what_is_no_traceparent_begins_a_trace_of_its_own(ended: Ended, text: str | None) -> None:
    with tracing.span("asked", parent=text):
        pass
    assert ended()["asked"].parent is None


def test_work_on_a_trade_belongs_to_the_trades_trace_and_links_to_what_asked_for_it(ended: Ended) -> None:
    with (
        tracing.span("operator", parent=CALLER),
        tracing.trade_span("close", 7, OF_TRADE),
        tracing.trade_span("settle", 7, OF_TRADE),
    ):
        pass
    spans = ended()
    assert (trace_of(spans["close"]), parent_of(spans["close"])) == ("c" * 32, "d" * 16)
    assert [f"{link.context.trace_id:032x}" for link in spans["close"].links] == ["a" * 32]
    close = spans["close"].context
    assert close is not None
    assert parent_of(spans["settle"]) == f"{close.span_id:016x}"
    assert not spans["settle"].links


def test_a_message_goes_on_with_the_trace_and_many_begin_their_own(ended: Ended) -> None:
    with tracing.span("batch"):
        [one] = tracing.message_traceparents(["news"])
        assert one == tracing.traceparent()
        many = tracing.message_traceparents(["first", "second"])
    traces = [text.split("-")[1] for text in many if text is not None]
    assert len({*traces, trace_of(ended()["batch"])}) == 3
    assert [f"{link.context.trace_id:032x}" for link in ended()["create first"].links] == [trace_of(ended()["batch"])]


@pytest.mark.usefixtures("ids_only")
def test_without_a_collector_ids_are_drawn_and_travel_but_batches_cost_nothing() -> None:
    assert tracing.message_traceparents(["first", "second"]) == [None, None]
    with tracing.span("asked", parent=CALLER):
        [inner] = tracing.message_traceparents(["news"])
        assert inner is not None
        assert inner.split("-")[1] == "a" * 32
        assert tracing.log_ids()["trace_id"] == "a" * 32


async def test_a_step_is_shown_only_within_something_that_is_traced(ended: Ended) -> None:
    @tracing.step("read")
    async def read(number: int) -> int:
        await asyncio.sleep(0)
        return number + 1

    assert await read(1) == 2
    assert ended() == {}
    with tracing.span("whole"):
        assert sum(await asyncio.gather(read(1), read(2))) == 5
    spans = ended()
    whole = spans["whole"].context
    assert whole is not None
    assert parent_of(spans["read"]) == f"{whole.span_id:016x}"


def test_log_lines_carry_trade_trace_and_span(ended: Ended, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("test", "info", SystemClock())
    log: Any = structlog.get_logger()
    log.info("before")
    with tracing.trade_span("close", 7, OF_TRADE):
        log.info("within")
    log.info("after")
    before, within, after = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    close = ended()["close"].context
    assert close is not None
    assert (within["signal_id"], within["trace_id"], within["span_id"]) == (7, "c" * 32, f"{close.span_id:016x}")
    assert not {"signal_id", "trace_id"} & (before.keys() | after.keys())


@pytest.mark.parametrize("value", ["collector:4318", "grpc://collector:4317", "http://"])
def test_an_endpoint_that_is_no_address_stops_the_start(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", value)
    with pytest.raises(SettingsError, match=f"OTEL_EXPORTER_OTLP_ENDPOINT='{value}': allowed is http://"):
        tracing.configure_tracing("test")
