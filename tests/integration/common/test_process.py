"""A service as a process: what it writes is JSON, and a signal ends it with exit code 0."""

import asyncio
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

PROGRAM = """
import asyncio
import os
from common.runtime.clock import SystemClock
from common.runtime.logging import configure_logging
from common.runtime.service import create_app, every_real, run, serve

async def beat():
    pass

async def main():
    configure_logging("sample", "info", SystemClock())
    app = create_app("sample", "", {}, None, {})

    @app.get("/breaks")
    async def breaks():
        raise RuntimeError(os.environ["SAMPLE_WORD"])

    @app.get("/waits")
    async def waits():
        print("waiting", flush=True)
        await asyncio.sleep(600)

    background = [every_real(1, beat, name) for name in ("heart", "pulse")]
    await serve(app, "127.0.0.1", int(os.environ["HTTP_PORT"]), background)

run("sample", main)
"""


async def answered(url: str) -> int:
    async with httpx.AsyncClient(trust_env=False) as http, asyncio.timeout(60):
        while True:
            try:
                return (await http.get(url)).status_code
            except httpx.ConnectError:
                await asyncio.sleep(0.02)


@asynccontextmanager
async def sample(port: int, environment: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        env={"HTTP_PORT": str(port), **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_errors_are_json_secrets_are_files_and_sigterm_ends_it(free_port: int, tmp_path: Path) -> None:
    (tmp_path / "sample_word").write_text("from a file\n")
    async with sample(free_port, {"SECRETS_DIR": str(tmp_path)}) as process:
        assert await answered(f"http://127.0.0.1:{free_port}/breaks") == 500
        process.send_signal(signal.SIGTERM)
        output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    lines = [json.loads(line) for line in output.decode().splitlines() if line]
    assert any("from a file" in line.get("exception", "") for line in lines)


async def test_who_waits_for_an_answer_when_the_process_ends_is_told_so(free_port: int) -> None:
    url = f"http://127.0.0.1:{free_port}"
    async with sample(free_port, {}) as process, httpx.AsyncClient(trust_env=False, timeout=60) as http:
        assert await answered(f"{url}/health/live") == 200
        asking = asyncio.create_task(http.get(f"{url}/waits"))
        assert process.stdout is not None
        while (line := await asyncio.wait_for(process.stdout.readline(), 60)) != b"waiting\n":
            assert line, "the process has ended"
        process.send_signal(signal.SIGTERM)
        answer = await asking
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert answer.json()["detail"] == "the service ends now: ask again"


async def test_a_port_that_is_taken_is_one_sentence_and_exit_code_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with sample(port, {}) as process:
            output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 2
    name, sentence = output.decode().splitlines()
    assert name == "sample does not start:"
    assert sentence.startswith(f"HTTP_PORT={port}: cannot listen on 127.0.0.1: Address already in use")
