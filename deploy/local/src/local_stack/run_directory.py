"""Where one run keeps its files: `var/run-<time>/` with logs and the result, and data that goes with the run.

A run holds a lock on its directories for as long as it lives. The system gives the lock back however the run ends,
so the next start can tell a run that was killed from one that still plays, and removes what the dead one left.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).resolve().parents[4]
DEFAULT_VAR: Final = CHECKOUT / "var"

_RUNS_KEPT = 20
_SHARED_PREFIX = "tandem-local-stack-"


class RunDirectory:
    """Made by `RunDirectory.create`, ended by `close`; logs and results stay, data does not."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.logs = path / "logs"
        self.data = path / "data"
        self._shared: list[Path] = []
        self._locks = [_lock(path)]

    @classmethod
    def create(cls, var: Path = DEFAULT_VAR) -> "RunDirectory":
        var.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(var)
        run = cls(_new_directory(var))
        run.logs.mkdir()
        run.data.mkdir(mode=0o700)
        return run

    def shared_data(self, user: int, group: int) -> Path:
        """A directory outside of the checkout for another user, who may not be allowed to enter this one."""
        _remove_shared_leftovers(user)
        directory = Path(tempfile.mkdtemp(prefix=_SHARED_PREFIX))
        self._shared.append(directory)
        self._locks.append(_lock(directory))
        # Last: what belongs to that user and is not locked is a leftover.
        os.chown(directory, user, group)
        return directory

    def close(self) -> None:
        """Removes the data of the run. Every process that used it must have ended."""
        for directory in (self.data, *self._shared):
            shutil.rmtree(directory, ignore_errors=True)
        for lock in self._locks:
            os.close(lock)


def _new_directory(var: Path) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    for attempt in range(1, 1000):
        path = var / (f"run-{stamp}" if attempt == 1 else f"run-{stamp}-{attempt}")
        with suppress(FileExistsError):
            path.mkdir()
            return path
    raise RuntimeError(f"{var} already holds a thousand runs of {stamp}")


def _lock(directory: Path) -> int:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def _remove_leftovers(var: Path) -> None:
    runs = sorted(var.glob("run-*"))
    for run in runs:
        with _abandoned(run) as is_abandoned:
            if is_abandoned:
                shutil.rmtree(run / "data", ignore_errors=True)
                if run not in runs[-_RUNS_KEPT:]:
                    shutil.rmtree(run, ignore_errors=True)


def _remove_shared_leftovers(user: int) -> None:
    for directory in Path(tempfile.gettempdir()).glob(f"{_SHARED_PREFIX}*"):
        with _abandoned(directory) as is_abandoned:
            if is_abandoned and not directory.is_symlink() and directory.stat().st_uid == user:
                shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _abandoned(directory: Path) -> Iterator[bool]:
    """Whether no run holds the lock; while the block runs, none can take it."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(descriptor)
