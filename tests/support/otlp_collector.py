"""A collector of traces on loopback: takes OTLP over HTTP and keeps every span."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Seen:
    """One span; ids are hexadecimal, `parent_id` is empty of a root, `links` are the linked traces' ids."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    started_ns: int
    ended_ns: int
    attributes: Mapping[str, Any]
    links: tuple[str, ...]


@dataclass
class Collector:
    """What arrived so far."""

    endpoint: str
    spans: list[Seen] = field(default_factory=list)

    def trace(self, trace_id: str) -> list[Seen]:
        """The spans of one trace in the order of their beginnings."""
        return sorted((span for span in self.spans if span.trace_id == trace_id), key=lambda span: span.started_ns)


@contextmanager
def otlp_collector() -> Iterator[Collector]:
    """A running collector; give its `endpoint` to a service as OTEL_EXPORTER_OTLP_ENDPOINT."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/traces":
                collector.spans += _spans(ExportTraceServiceRequest.FromString(body))
            self.send_response(200 if self.path == "/v1/traces" else 404)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_port}")
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        serving.start()
        try:
            yield collector
        finally:
            server.shutdown()
            serving.join()


def _spans(request: ExportTraceServiceRequest) -> list[Seen]:
    return [
        Seen(
            service=_attributes(resource.resource.attributes)["service.name"],
            name=span.name,
            trace_id=span.trace_id.hex(),
            span_id=span.span_id.hex(),
            parent_id=span.parent_span_id.hex(),
            started_ns=span.start_time_unix_nano,
            ended_ns=span.end_time_unix_nano,
            attributes=_attributes(span.attributes),
            links=tuple(link.trace_id.hex() for link in span.links),
        )
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
