"""Parts can be taken away and brought back by tests; a part that cannot start says why."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import nats
import pytest
import pytest_asyncio

from local_stack.ports import Ports
from local_stack.postgres import installation
from local_stack.processes import Command, Part, PartFailed
from local_stack.stack import LocalStack, StackPlan
from local_stack.supervision import Supervisor
from support.embedded_stack import quiet_screen


@pytest_asyncio.fixture(loop_scope="session")
async def nats_alone(tmp_path: Path) -> AsyncIterator[LocalStack]:
    plan = StackPlan(postgres=False, ports=Ports.ephemeral(), var=tmp_path)
    async with LocalStack(plan, quiet_screen()) as stack:
        yield stack


@pytest_asyncio.fixture(loop_scope="session")
async def supervisor(tmp_path: Path) -> AsyncIterator[Supervisor]:
    started = Supervisor(tmp_path, quiet_screen())
    yield started
    await started.stop_all()


def python_part(code: str, reason: str | None = "not yet", deadline_seconds: float = 60.0) -> Part:
    async def probe() -> str | None:
        return reason

    return Part("Sample", Command("sample", (sys.executable, "-c", code)), probe, deadline_seconds)


async def test_streams_survive_a_part_that_was_killed_and_restarted(nats_alone: LocalStack) -> None:
    connection = await nats.connect(nats_alone.nats_url)
    await connection.jetstream().add_stream(name="KEPT", subjects=["kept"])
    await connection.jetstream().publish("kept", b"still here")
    await connection.close()

    await nats_alone.parts.kill("nats")
    await nats_alone.parts.restart("nats")

    connection = await nats.connect(nats_alone.nats_url)
    assert (await connection.jetstream().get_last_msg("KEPT", "kept")).data == b"still here"
    await connection.close()


async def test_taking_a_part_away_on_purpose_does_not_end_the_run(nats_alone: LocalStack) -> None:
    await nats_alone.parts.stop("nats")
    assert await nats_alone.guard(asyncio.sleep(0.05, "went on")) == "went on"


async def test_work_is_cancelled_when_a_part_ends_by_itself(supervisor: Supervisor) -> None:
    await supervisor.start(python_part("import time; time.sleep(0.2); print('bye'); raise SystemExit(3)", None))
    with pytest.raises(PartFailed, match="sample ended with exit code 3") as failure:
        await supervisor.guard(asyncio.Event().wait())
    assert failure.value.tail == ("bye",)


async def test_a_part_that_ends_before_it_is_ready_shows_its_last_lines(supervisor: Supervisor) -> None:
    with pytest.raises(PartFailed, match="ended with exit code 1 before it was ready") as failure:
        await supervisor.start(python_part("raise SystemExit('no database')"))
    assert "no database" in failure.value.explanation()


async def test_a_part_that_is_never_ready_names_the_reason(supervisor: Supervisor) -> None:
    with pytest.raises(PartFailed, match=r"was not ready after 0\.3 s \(not yet\)"):
        await supervisor.start(python_part("import time; time.sleep(60)", deadline_seconds=0.3))


async def test_a_program_that_does_not_exist_is_named(supervisor: Supervisor) -> None:
    async def probe() -> str | None:
        return "not yet"

    with pytest.raises(PartFailed) as failure:
        await supervisor.start(Part("Missing", Command("missing", ("/no/such/program",)), probe))
    assert "cannot start /no/such/program" in failure.value.explanation()


async def test_a_part_that_ignores_being_asked_is_ended_all_the_same(supervisor: Supervisor, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    deaf = f"import signal, time; signal.signal(15, signal.SIG_IGN); open({str(ready)!r}, 'w'); time.sleep(60)"

    async def is_deaf() -> str | None:
        return None if ready.exists() else "not yet"

    command = Command("deaf", (sys.executable, "-c", deaf), stop_patience_seconds=0.1)
    await supervisor.start(Part("Deaf", command, is_deaf))
    await supervisor.stop("deaf")
    assert supervisor.child("deaf").exit_code == -9


async def test_a_line_longer_than_any_buffer_is_kept_whole(supervisor: Supervisor, tmp_path: Path) -> None:
    await supervisor.run("long", Command("long", (sys.executable, "-c", "print('x' * 300_000)")))
    assert len((tmp_path / "long.log").read_text()) == 300_001


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives PostgreSQL to another user")
async def test_postgres_runs_from_a_checkout_that_its_user_cannot_enter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = installation()
    package = original.parent
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    copy = closed / package.name / original.name
    shutil.copytree(original, copy, symlinks=True)
    shutil.copytree(package.with_name(f"{package.name}.libs"), closed / f"{package.name}.libs")
    monkeypatch.setattr("local_stack.postgres.installation", lambda: copy)
    plan = StackPlan(nats=False, migrate=False, ports=Ports.ephemeral(), var=tmp_path / "var")
    async with LocalStack(plan, quiet_screen()) as stack:
        assert not program_of(stack.parts.child("postgres").pid).is_relative_to(closed)


def program_of(process: int) -> Path:
    return Path(f"/proc/{process}/exe").readlink()
