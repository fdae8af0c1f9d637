"""This service's own settings: where it listens, the scanner, the built-in prediction models."""

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_settings import NoDecode

from common.domain.identifiers import SYMBOL_PATTERN
from common.runtime.settings import Flag, ServiceSettings, TradingSettings
from signal_ingest.application.predictions import TakerFees
from signal_ingest.domain.merging import MergeRules
from signal_ingest.domain.trigger import TriggerRules

_FEE_MAX = 0.01

Symbol = Annotated[str, Field(pattern=SYMBOL_PATTERN)]


class IngestSettings(ServiceSettings):
    """Read once from the environment; the field names are the variables' names in lower case."""

    own_prefixes = ("SCANNER_", "PREDICTION_")

    http_port: int = Field(4011, ge=1, le=65535)
    scanner_enabled: Flag = True
    scanner_interval_sec: float = Field(5, gt=0, le=3600, description="real seconds between two rounds")
    scanner_symbols: Annotated[tuple[Symbol, ...], NoDecode] = Field((), description="empty: all shared ones")
    scanner_funding_refresh_sec: float = Field(60, gt=0, le=3600, description="strategy seconds")
    prediction_model: Literal["reversion", "linear"] = "reversion"
    prediction_linear_file: str = ""
    prediction_taker_fee: float = Field(0.0005, ge=0, le=_FEE_MAX, description="of venues that the next one omits")
    prediction_taker_fees: Annotated[dict[str, float], NoDecode] = Field(default_factory=dict)

    @field_validator("scanner_symbols", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("prediction_taker_fees", mode="before")
    @classmethod
    def _fees(cls, value: object) -> object:
        return _parse_fees(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _model_has_its_file(self) -> "IngestSettings":
        if self.prediction_model == "linear" and not self.prediction_linear_file:
            raise ValueError("PREDICTION_MODEL='linear' also needs PREDICTION_LINEAR_FILE")
        return self

    @property
    def taker_fees(self) -> TakerFees:
        """Fees by venue, and for the others."""
        return TakerFees(self.prediction_taker_fees, self.prediction_taker_fee)


def _parse_fees(text: str) -> Mapping[str, float]:
    fees = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        venue, _, number = part.partition("=")
        try:
            fee = float(number)
        except ValueError:
            fee = math.nan
        if not venue or not 0 <= fee <= _FEE_MAX:
            raise ValueError(f"allowed is venue=fee,venue=fee with fees from 0 to {_FEE_MAX}, as binance=0.0005")
        fees[venue] = fee
    return fees


def trigger_rules(trading: TradingSettings) -> TriggerRules:
    """The trigger's rules; an observation older than the cooldown would only open an event that is over."""
    return TriggerRules(
        spread_min=trading.watchlist_typeb_spread,
        spread_plausible_max=trading.watchlist_max_plausible_spread,
        funding_filter=trading.watchlist_typeb_funding_filter_mode,
        net_cost_max=trading.watchlist_typeb_funding_net_cost_max,
        net_cost_horizon_hours=trading.watchlist_typeb_funding_net_cost_horizon_h,
        funding_rate_min=trading.watchlist_typeb_funding_min,
        funding_rate_max=trading.watchlist_typeb_funding_max,
        age_max=timedelta(minutes=trading.watchlist_cooldown_min),
    )


def merge_rules(trading: TradingSettings) -> MergeRules:
    """The rules by which observations become events."""
    return MergeRules(
        enabled=trading.watchlist_event_merge,
        consecutive=trading.watchlist_consecutive,
        cooldown=timedelta(minutes=trading.watchlist_cooldown_min),
    )
