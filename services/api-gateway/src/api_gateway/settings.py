"""Where the gateway listens and where it finds the services whose health it gathers."""

from typing import Annotated

from pydantic import Field

from common.runtime.settings import ServiceSettings

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
