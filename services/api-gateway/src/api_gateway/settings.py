"""Where the gateway listens, where it finds the services whose health it gathers, and whom it tells what happens."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from api_gateway.domain.alerts import AlertKind
from common.runtime.settings import ServiceSettings, SettingsError, ShownSettings

HttpAddress = Annotated[str, Field(pattern=r"^https?://[^/\s]+/?$")]


class GatewaySettings(ServiceSettings):
    """The gateway's own settings; each has a default that fits one machine."""

    http_port: int = Field(4002, ge=1, le=65535)
    signal_ingest_url: HttpAddress = "http://127.0.0.1:4011"
    executor_url: HttpAddress = "http://127.0.0.1:4012"
    position_monitor_url: HttpAddress = "http://127.0.0.1:4013"

    @property
    def service_urls(self) -> dict[str, str]:
        """Base addresses of the other services, by name, without a trailing slash."""
        return {
            "signal_ingest": self.signal_ingest_url.rstrip("/"),
            "executor": self.executor_url.rstrip("/"),
            "position_monitor": self.position_monitor_url.rstrip("/"),
        }


@dataclass(frozen=True, slots=True)
class AlertAddress:
    """Where alerts go. `name` says where the URL stands; the URL itself is a secret."""

    name: str
    url: SecretStr


class AlertSettings(ShownSettings):
    """Whom the gateway tells what happens; without an address alerts are off. Times are real ones."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    alert_urls: SecretStr = SecretStr("")
    alert_urls_file: str = ""
    alert_kinds: Annotated[tuple[AlertKind, ...], NoDecode] = tuple(kind for kind in AlertKind if kind != "test")
    alert_throttle_sec: float = Field(300, ge=0, le=24 * 3600)
    alert_give_up_min: float = Field(60, gt=0, le=7 * 24 * 60)

    @field_validator("alert_kinds", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @property
    def addresses(self) -> list[AlertAddress]:
        """The URLs of both settings, separated by spaces or lines.

        Raises:
            SettingsError: the file cannot be read.
        """
        texts = {"ALERT_URLS": self.alert_urls.get_secret_value()}
        if self.alert_urls_file:
            try:
                texts["ALERT_URLS_FILE"] = Path(self.alert_urls_file).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise SettingsError(f"ALERT_URLS_FILE={self.alert_urls_file!r}: cannot be read: {error}") from error
        return [
            AlertAddress(f"{source}, address {number}", SecretStr(url))
            for source, text in texts.items()
            for number, url in enumerate(text.split(), 1)
        ]
