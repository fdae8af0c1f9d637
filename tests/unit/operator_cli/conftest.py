"""A server on loopback that gives the command any answer, and remembers what it was asked."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass
class Answering:
    """Every request gets `status` and `body`; `headers` are those of the requests, `bodies` their JSON."""

    status: int = 200
    body: bytes = b"{}"
    location: str | None = None
    url: str = ""
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[object] = field(default_factory=list)

    def answers(self, content: object, status: int = 200) -> None:
        self.status, self.body = status, json.dumps(content).encode()


@pytest.fixture
def answering() -> Iterator[Answering]:
    state = Answering()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.paths.append(self.path)
            state.headers.append({name.lower(): value for name, value in self.headers.items()})
            length = int(self.headers.get("content-length", 0))
            if length:
                state.bodies.append(json.loads(self.rfile.read(length)))
            self.send_response(state.status)
            if state.location is not None:
                self.send_header("location", state.location)
            self.send_header("content-length", str(len(state.body)))
            self.end_headers()
            self.wfile.write(state.body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Nothing on the test's screen."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TANDEM_GATEWAY", "TANDEM_TOKEN", "TANDEM_TOKEN_FILE", "TANDEM_WHO", "DATABASE_URL", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
