"""The database as its owner, who migrates it and keeps its history; no service is."""

from collections.abc import Mapping

from common.runtime.settings import ADDRESS_HINT, SettingsError, is_address


def owner_dsn(environment: Mapping[str, str]) -> str:
    """DATABASE_URL of the owner.

    Raises:
        SettingsError: it is missing or no address.
    """
    dsn = environment.get("DATABASE_URL", "")
    if not is_address(dsn, ("postgresql",)):
        expected = "the owner's address, as postgresql://user:password@host:port/database"
        raise SettingsError(f"DATABASE_URL must be {expected}; {ADDRESS_HINT}")
    return dsn
