"""Every setting of the trading rules (SPEC 9), read once from the environment and validated before anything runs.

A wrong value stops the process with a sentence: the variable, the value, and what is allowed.
"""

import os
import re
from collections.abc import Collection, Mapping
from decimal import Decimal
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from common.domain.identifiers import VENUE_PATTERN
from common.domain.scale_in import ScaleInRules

KNOWN_VENUES = ("binance", "bybit", "okx", "bitget", "gate", "hyperliquid")
_DAYS_MAX, _HOURS_MAX, _MINUTES_MAX, _SECONDS_MAX = 3650, 24 * 365, 60 * 24 * 365, 3600 * 24
ADDRESS_HINT = "characters such as / ? # @ in a password are percent-encoded (%2F %3F %23 %40)"
_USDT_MAX = Decimal(1_000_000_000)

Share = Annotated[float, Field(gt=0, le=1)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Flag = Annotated[bool, BeforeValidator(lambda value: _flag(value))]
SettingsType = TypeVar("SettingsType", bound="ShownSettings")


class SettingsError(Exception):
    """One or more settings are wrong; the text has a sentence for each."""


def _flag(value: object) -> object:
    if isinstance(value, str) and value not in ("0", "1"):
        raise ValueError("allowed is 0 or 1")
    return value


class ShownSettings(BaseSettings):
    """Settings that can be shown to an operator: secrets are hidden."""

    own_prefixes: ClassVar[tuple[str, ...]] = ()
    """A variable whose name begins so is one of these settings, or a mistake that stops the start."""

    def in_effect(self) -> dict[str, dict[str, Any]]:
        """Every setting by its variable's name, with its value and whether the environment or the default set it."""
        return {
            name.upper(): {"value": value, "source": "environment" if name in self.model_fields_set else "default"}
            for name, value in self.model_dump(mode="json").items()
        }


class TradingSettings(ShownSettings):
    """The rules of trading. Field names are the variables' names in lower case; units are in SPEC 9's names."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, hide_input_in_errors=False, allow_inf_nan=False)
    own_prefixes = ("LIVE_TRADING_", "WATCHLIST_")

    live_trading_enabled: Flag = True
    live_trading_mode: Literal["paper", "live"] = "paper"
    live_trading_confirm_live: Literal["", "yes"] = ""
    live_trading_allowed_exchanges: Annotated[tuple[str, ...], NoDecode] = KNOWN_VENUES
    live_trading_pnl_threshold: float = Field(0.0085, ge=0, lt=1)
    live_trading_win_prob_threshold: float = Field(0.85, ge=0, le=1)
    live_trading_horizon_min: float = Field(240, gt=0, le=_MINUTES_MAX)
    live_trading_max_concurrent: int = Field(10, ge=1, le=10_000)
    live_trading_per_leg_usdt: Decimal = Field(Decimal(50), gt=0, le=_USDT_MAX)
    live_trading_leverage: int = Field(2, ge=1, le=125)
    live_trading_tp_ratio: Share = 0.7
    live_trading_ob_confirm_samples: int = Field(3, ge=1, le=100)
    live_trading_ob_confirm_sleep_sec: float = Field(0.7, ge=0, le=60)
    live_trading_max_book_age_sec: float = Field(2, gt=0, le=_SECONDS_MAX)
    live_trading_max_abs_funding: float = Field(0, ge=0, lt=1)
    live_trading_monitor_sec: float = Field(60, gt=0, le=_SECONDS_MAX)
    live_trading_max_hold_days: float = Field(7, gt=0, le=_DAYS_MAX)
    live_trading_stop_loss_total_pct: Fraction = 0.01
    live_trading_stop_loss_funding_per_hour_pct: Fraction = 0.003
    live_trading_close_retry_cooldown_sec: float = Field(120, gt=0, le=_SECONDS_MAX)
    live_trading_lookback_min: float = Field(3, gt=0, le=_MINUTES_MAX)
    live_trading_scale_in_enabled: Flag = True
    live_trading_scale_in_max_entries: int = Field(4, ge=1, le=100)
    live_trading_scale_in_trigger_mult: float = Field(1.5, gt=1, le=100)
    live_trading_scale_in_min_interval_min: float = Field(30, ge=0, le=_MINUTES_MAX)
    live_trading_scale_in_signal_max_age_min: float = Field(30, gt=0, le=_MINUTES_MAX)
    live_trading_scale_in_max_total_notional: Decimal = Field(Decimal(0), ge=0, le=_USDT_MAX)
    watchlist_typeb_spread: Fraction = 0.01
    watchlist_max_plausible_spread: Fraction = 0.30
    watchlist_typeb_funding_filter_mode: Literal["net_cost", "range", "off"] = "net_cost"
    watchlist_typeb_funding_net_cost_max: float = Field(0.001, gt=-1, lt=1)
    watchlist_typeb_funding_net_cost_horizon_h: float = Field(8, gt=0, le=_HOURS_MAX)
    watchlist_typeb_funding_min: float = Field(-0.001, gt=-1, lt=1)
    watchlist_typeb_funding_max: float = Field(0.001, gt=-1, lt=1)
    watchlist_event_merge: Flag = True
    watchlist_consecutive: int = Field(1, ge=1, le=10_000)
    watchlist_cooldown_min: float = Field(3, gt=0, le=_MINUTES_MAX)

    @field_validator("live_trading_allowed_exchanges", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("live_trading_allowed_exchanges")
    @classmethod
    def _venue_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [name for name in value if not re.match(VENUE_PATTERN, name)]
        if wrong or len(set(value)) < max(2, len(value)):
            raise ValueError("allowed are two or more different venue names in lower case, separated by commas")
        return value

    @model_validator(mode="after")
    def _live_is_confirmed(self) -> "TradingSettings":
        if self.live_trading_mode == "live" and self.live_trading_confirm_live != "yes":
            raise ValueError("LIVE_TRADING_MODE='live' sends real orders: it also needs LIVE_TRADING_CONFIRM_LIVE=yes")
        if self.watchlist_typeb_funding_min > self.watchlist_typeb_funding_max:
            raise ValueError("WATCHLIST_TYPEB_FUNDING_MIN is above WATCHLIST_TYPEB_FUNDING_MAX")
        return self

    @property
    def scale_in_notional_cap_usdt(self) -> Decimal:
        """The most one leg may hold, in USDT: the setting, or max entries times one entry where it is 0."""
        configured = self.live_trading_scale_in_max_total_notional
        return configured or self.live_trading_scale_in_max_entries * self.live_trading_per_leg_usdt

    @property
    def scale_in_rules(self) -> ScaleInRules:
        """The limits of SPEC 7 as set.

        A cap that follows from the number of entries is given a hundredth of slack: fills a little above the plan
        must not cost the last entry that the number allows. A cap that was set is exact.
        """
        cap = self.scale_in_notional_cap_usdt
        return ScaleInRules(
            enabled=self.live_trading_scale_in_enabled,
            max_entries=self.live_trading_scale_in_max_entries,
            trigger_multiplier=self.live_trading_scale_in_trigger_mult,
            min_interval_minutes=self.live_trading_scale_in_min_interval_min,
            signal_max_age_minutes=self.live_trading_scale_in_signal_max_age_min,
            notional_cap_usdt=cap,
            notional_slack_usdt=Decimal(0) if self.live_trading_scale_in_max_total_notional else cap / 100,
            pnl_threshold=self.live_trading_pnl_threshold,
            win_prob_threshold=self.live_trading_win_prob_threshold,
        )


class ServiceSettings(ShownSettings):
    """Where a service finds its neighbours and where it listens."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    database_url: SecretStr
    nats_url: SecretStr = SecretStr("nats://127.0.0.1:4222")
    nats_stream_replicas: int = Field(1, ge=1, le=5)
    http_host: str = "127.0.0.1"
    http_port: int = Field(ge=1, le=65535)
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, value: SecretStr) -> SecretStr:
        if not is_address(value.get_secret_value(), ("postgresql",)):
            raise ValueError(f"allowed is postgresql://user:password@host:port/database; {ADDRESS_HINT}")
        return value

    @field_validator("nats_url")
    @classmethod
    def _is_nats(cls, value: SecretStr) -> SecretStr:
        if not is_address(value.get_secret_value(), ("nats", "tls")):
            raise ValueError(f"allowed is nats://host:port or tls://host:port; {ADDRESS_HINT}")
        return value


def is_address(text: str, schemes: tuple[str, ...]) -> bool:
    """Whether a URL with a password in it means what it says.

    A password that is not percent-encoded ends where a `/`, `?` or `#` stands, and its rest lands in a part that
    drivers show in their errors; so an address with an `@` beyond its host is refused here.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    beyond = parts.path + parts.query + parts.fragment
    return parts.scheme in schemes and bool(parts.hostname) and port != 0 and "@" not in beyond


def load(kind: type[SettingsType], environment: Mapping[str, str] | None = None) -> SettingsType:
    """Reads and validates `kind` from the environment.

    Raises:
        SettingsError: with a sentence for each wrong or unknown setting.
    """
    environment = os.environ if environment is None else environment
    sentences = _unknown(kind, environment)
    values = {name: environment[name.upper()] for name in kind.model_fields if name.upper() in environment}
    try:
        settings = kind.model_validate(values)
    except ValidationError as error:
        sentences += [_sentence(kind, detail) for detail in error.errors()]
    if sentences:
        raise SettingsError("\n".join(sentences))
    return settings


def _unknown(kind: type[ShownSettings], environment: Mapping[str, str]) -> list[str]:
    known = {name.upper() for name in kind.model_fields}
    begun = sorted(name for name in environment if name.startswith(kind.own_prefixes) and name not in known)
    # An address belongs to whoever asks there: EXECUTOR_URL is the gateway's, EXECUTOR_DATABASE_URL the migrations'.
    strange = [name for name in begun if not name.endswith("_URL")]
    return [f"{name} is not a setting; {_nearest(name, known)}" for name in strange]


def _nearest(name: str, known: Collection[str]) -> str:
    close = get_close_matches(name, known, n=1, cutoff=0.75)
    return f"the nearest one is {close[0]}" if close else "the README's table has them all"


def _sentence(kind: type[ShownSettings], detail: Any) -> str:
    message = detail["msg"].removeprefix("Value error, ")
    if not detail["loc"]:
        return str(message)
    field = str(detail["loc"][0])
    secret = kind.model_fields[field].annotation is SecretStr
    if detail["type"] == "missing":
        return f"{field.upper()} is not set: it has no default"
    shown = "(hidden)" if secret else repr(detail["input"])
    return f"{field.upper()}={shown}: {message[0].lower()}{message[1:]}"
