"""The images' health check: an exit code, and the reason where the container engine shows it."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from common.runtime.probe import main


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health/ready" else 503)
        self.end_headers()
        self.wfile.write(b'{"dependencies": {"nats": "disconnected"}}')

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Nothing: the test's output stays readable."""


@pytest.fixture
def port() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_service_that_is_ready_is_healthy_whatever_proxy_there_is(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert main([], {"HTTP_PORT": str(port)}) == 0


def test_one_that_is_not_ready_says_why(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"http://127.0.0.1:{port}/other"], {}) == 1
    assert "answered 503" in (told := capsys.readouterr().out)
    assert "disconnected" in told


@pytest.mark.parametrize("arguments", [["http://127.0.0.1:1/health/ready"], []])
def test_no_answer_and_no_address_are_unhealthy(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments, {}) == 1
    assert "http://127.0.0.1:" in capsys.readouterr().out
