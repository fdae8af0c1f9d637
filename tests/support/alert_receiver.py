"""A receiver of alerts on loopback, which answers as a service too."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from local_stack.ports import claimed

SECRET = "s3cr3t-token"
PATHS_OF_SERVICES = ("/health/ready", "/metrics")


@dataclass
class Receiver:
    """An HTTP server that takes alerts, and answers as a service that is asked for its readiness and metrics."""

    port: int
    got: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    hangs: bool = False
    is_service_ready: bool = True
    banned_until_seconds: float = 0.0
    asked: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"json://ada:{SECRET}@127.0.0.1:{self.port}/{SECRET}"

    @property
    def titles(self) -> list[str]:
        return [message["title"] for message in self.got]

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = head.split()[1]
        if path in PATHS_OF_SERVICES:
            status, body = self._as_service(path)
        else:
            length = next(int(line[15:]) for line in head.lower().splitlines() if line.startswith("content-length:"))
            message = json.loads(await reader.readexactly(length))
            self.asked += 1
            if self.hangs:
                await self.released.wait()
            status, body = self.status, "{}"
            if status == 200:
                self.got.append(message)
        writer.write(f"HTTP/1.1 {status} x\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n{body}".encode())
        writer.close()

    def _as_service(self, path: str) -> tuple[int, str]:
        if path == "/metrics":
            name = "tandem_venue_banned_until_timestamp_seconds"
            bans = '# TYPE tandem_venue_bans_total counter\ntandem_venue_bans_total{venue="binance"} 1\n'
            return 200, f'{bans}# TYPE {name} gauge\n{name}{{venue="binance"}} {self.banned_until_seconds}\n'
        status = "ready" if self.is_service_ready else "not_ready"
        return 200, json.dumps({"status": status, "dependencies": {"nats": "ok"}})


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on a port of its own."""
    with claimed({"receiver": 0}) as ports:
        receiver = Receiver(ports["receiver"])
        async with await asyncio.start_server(receiver.answer, "127.0.0.1", receiver.port):
            yield receiver
            receiver.released.set()
