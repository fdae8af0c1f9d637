"""The executor's own settings, and the keys that no other service has."""

from collections.abc import Mapping
from decimal import Decimal

from pydantic import Field

from common.runtime.settings import Flag, ServiceSettings, SettingsError
from common.venues.addresses import VenueAddress
from common.venues.credentials import Credentials, credential_variables, credentials_from
from executor.domain.rails import Rails


class ExecutorSettings(ServiceSettings):
    """Adds the executor's port, the pace of its level-triggered work in real seconds, and its rails."""

    own_prefixes = ("EXECUTOR_",)

    http_port: int = Field(4012, ge=1, le=65535)
    executor_recovery_sec: float = Field(0.5, gt=0, le=60)
    executor_bookkeeping_sec: float = Field(1.0, gt=0, le=60)
    executor_rails_sec: float = Field(5.0, gt=0, le=600)
    executor_daily_loss_limit_usdt: Decimal = Field(Decimal(0), ge=0)
    executor_unwinds_per_hour_max: int = Field(3, ge=0)
    executor_clock_offset_max_sec: float = Field(0.5, ge=0, le=3600)
    executor_unwind_loss_budget_usdt: Decimal = Field(Decimal(5), gt=0)
    executor_reconciliation_sec: float = Field(5.0, gt=0, le=600)
    executor_paper_balance_usdt: Decimal = Field(Decimal(10_000), gt=0)
    venue_streams: Flag = True

    @property
    def rails(self) -> Rails:
        """The rails that move trading to reducing."""
        return Rails(
            self.executor_daily_loss_limit_usdt,
            self.executor_unwinds_per_hour_max,
            self.executor_clock_offset_max_sec,
        )


def credentials(addresses: Mapping[str, VenueAddress], environment: Mapping[str, str]) -> dict[str, Credentials]:
    """The keys of each venue.

    Raises:
        SettingsError: naming the variables that are missing, or the protocol that this version does not speak.
    """
    found = {name: credentials_from(address, environment) for name, address in addresses.items()}
    missing = [
        variable
        for name, keys in found.items()
        if keys is None
        for variable in credential_variables(addresses[name])
        if not environment.get(variable)
    ]
    if missing:
        raise SettingsError(
            f"live trading needs keys for every allowed venue; not set: {', '.join(missing)} "
            "(or leave the venue out of LIVE_TRADING_ALLOWED_EXCHANGES)"
        )
    return {name: keys for name, keys in found.items() if keys is not None}
