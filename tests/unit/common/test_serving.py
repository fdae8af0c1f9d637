"""How a service listens."""

import socket

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from common.runtime.service import serve


async def test_an_idle_connection_is_kept_longer_than_clients_keep_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who closes first decides who is surprised: a request on a connection that just closes is lost."""
    configured: list[uvicorn.Config] = []

    async def end_at_once(server: uvicorn.Server, sockets: list[socket.socket]) -> None:
        configured.append(server.config)
        for listening in sockets:
            listening.close()

    monkeypatch.setattr(uvicorn.Server, "serve", end_at_once)
    await serve(FastAPI(), "127.0.0.1", 0, [])
    clients_seconds = httpx.Limits().keepalive_expiry
    assert clients_seconds is not None
    assert configured[0].timeout_keep_alive > 2 * clients_seconds
