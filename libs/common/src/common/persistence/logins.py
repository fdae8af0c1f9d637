"""Passwords of the services' database roles, which the migrations make without any.

A service's address holds its role and password; whoever deploys gives the same addresses to the migrations, and so
each password is written down once.
"""

from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

import asyncpg

ROLE_OF_SERVICE = {
    "signal_ingest": "tandem_signal_ingest",
    "executor": "tandem_executor",
    "position_monitor": "tandem_position_monitor",
    "api_gateway": "tandem_api_gateway",
}


def passwords_in(environment: Mapping[str, str]) -> dict[str, str]:
    """Passwords by role, from `<SERVICE>_DATABASE_URL`; a service without that variable keeps the password it has.

    Raises:
        ValueError: an address is of another role or without a password; nothing of the address is shown.
    """
    found = {}
    for service, role in ROLE_OF_SERVICE.items():
        variable = f"{service.upper()}_DATABASE_URL"
        if variable not in environment:
            continue
        parts = urlsplit(environment[variable])
        if parts.scheme != "postgresql" or parts.username != role or not parts.password:
            raise ValueError(f"{variable}=(hidden): allowed is postgresql://{role}:password@host:port/database")
        found[role] = unquote(parts.password)
    return found


async def set_passwords(dsn: str, passwords: Mapping[str, str]) -> None:
    """Lets each role log in with its password; `dsn` is the owner's."""
    connection = await asyncpg.connect(dsn)
    try:
        # A statement that fails would be logged with the password in it.
        await connection.execute("SET log_min_error_statement = panic")
        for role, password in passwords.items():
            statement = "SELECT format('ALTER ROLE %I PASSWORD %L', $1::text, $2::text)"
            await connection.execute(await connection.fetchval(statement, role, password))
    finally:
        await connection.close()
