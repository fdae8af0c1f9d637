"""However a run ends, its processes end with it and its data goes."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from local_stack.postgres import installation, may_run
from local_stack.processes import Account

SCRIPT = Path(__file__).with_name("supervised_run.py")
PATIENCE_SECONDS = 110


@dataclass(frozen=True)
class Run:
    process: subprocess.Popen[str]
    var: Path
    children: tuple[int, ...]

    def end_and_read_screen(self) -> str:
        _, screen = self.process.communicate(timeout=PATIENCE_SECONDS)
        return screen


@contextmanager
def running(var: Path, prefix: tuple[str, ...] = ()) -> Iterator[Run]:
    process = subprocess.Popen(
        (*prefix, sys.executable, str(SCRIPT), str(var)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
    )
    try:
        assert process.stdout is not None
        words = process.stdout.readline().split()
        assert words[:1] == ["ready"], process.communicate(timeout=PATIENCE_SECONDS)
        yield Run(process, var, tuple(int(word) for word in words[1:]))
    finally:
        process.kill()
        process.communicate()


def is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def data_left(var: Path) -> list[Path]:
    return [*var.glob("run-*/data")]


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_signal_stops_every_part_and_removes_the_data(tmp_path: Path, number: int, exit_code: int) -> None:
    with running(tmp_path) as run:
        run.process.send_signal(number)
        run.end_and_read_screen()
        assert run.process.returncode == exit_code
        assert not any(is_alive(child) for child in run.children)
        assert data_left(tmp_path) == []


def test_parts_end_when_the_supervisor_is_killed_without_warning(tmp_path: Path) -> None:
    with running(tmp_path) as run:
        run.process.kill()
        assert until(lambda: not any(is_alive(child) for child in run.children))


def test_the_next_start_removes_what_a_killed_run_left(tmp_path: Path) -> None:
    with running(tmp_path) as killed:
        postgres, _ = killed.children
        files = [Path(f"/proc/{postgres}/cwd").readlink(), *data_left(tmp_path)]
        killed.process.kill()
        assert until(lambda: not any(is_alive(child) for child in killed.children))
    assert all(directory.exists() for directory in files)
    with running(tmp_path):
        assert not any(directory.exists() for directory in files)


def test_a_start_leaves_the_data_of_a_run_that_still_plays(tmp_path: Path) -> None:
    with running(tmp_path) as first, running(tmp_path) as second:
        assert len(data_left(tmp_path)) == 2
        assert all(is_alive(child) for child in first.children + second.children)


def test_the_crash_of_a_part_ends_the_run_with_its_name_and_last_lines(tmp_path: Path) -> None:
    with running(tmp_path) as run:
        _, nats = run.children
        os.kill(nats, signal.SIGKILL)
        screen = run.end_and_read_screen()
        assert run.process.returncode == 1
        assert "nats was ended by signal SIGKILL while it was needed" in screen
        assert "Server is ready" in screen
        assert not any(is_alive(child) for child in run.children)


def test_a_part_killed_with_its_own_children_leaves_none_of_them(tmp_path: Path) -> None:
    with running(tmp_path) as run:
        postgres, _ = run.children
        workers = children_of(postgres)
        assert workers
        os.kill(postgres, signal.SIGKILL)
        run.end_and_read_screen()
        assert until(lambda: not any(is_alive(worker) for worker in workers))


def children_of(parent: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def test_the_stack_runs_without_being_root() -> None:
    with tempfile.TemporaryDirectory() as name:
        var = Path(name) / "var"
        var.mkdir()
        with running(var, as_unprivileged(var)) as run:
            assert Path(f"/proc/{run.children[0]}").stat().st_uid != 0
            assert Path(f"/proc/{run.children[0]}/cwd").readlink().is_relative_to(var)
            run.process.terminate()
            run.end_and_read_screen()
            assert run.process.returncode == 143
            assert data_left(var) == []


def as_unprivileged(var: Path) -> tuple[str, ...]:
    """The prefix that runs a command as `nobody`, who may also read the Python of root."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("running as root, and there is no setpriv to run as another user")
    nobody = pwd.getpwnam("nobody")
    if not may_run(installation() / "bin" / "initdb", Account(nobody.pw_uid, nobody.pw_gid)):
        pytest.skip("running as root, in a checkout that no other user can enter")
    for directory in (var.parent, var):
        os.chown(directory, nobody.pw_uid, nobody.pw_gid)
    identity = (f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups")
    entry = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    return ("setpriv", *identity, *entry)
