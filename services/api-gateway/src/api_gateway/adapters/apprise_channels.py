"""Addresses of alerts through Apprise, whose URLs are secrets: no text of this module or of Apprise's shows one.

Apprise waits for its answers in threads: each message has a deadline, and nothing else waits for it.
"""

import asyncio
import logging

import apprise
from apprise.plugins import N_MGR

from api_gateway.domain.alerts import AlertMessage

SEND_SECONDS_MAX = 10
_QUIET_LOGGERS = ("apprise", "urllib3", "requests")
"""What they would say may hold an address, and with it a token."""


class WrongAddressError(ValueError):
    """An address that Apprise does not take; the text names its place and scheme only."""


class AppriseChannel:
    """One address; see `Channel`."""

    def __init__(self, name: str, service: apprise.NotifyBase) -> None:
        self.name = name
        self._apprise = apprise.Apprise()
        self._apprise.add(service)

    async def send(self, message: AlertMessage) -> bool:
        """Whether the address took the message within 10 s."""
        kind = apprise.NotifyType.FAILURE if message.is_urgent else apprise.NotifyType.INFO
        result = await asyncio.to_thread(
            self._apprise.notify, message.text, message.title, kind, timeout=SEND_SECONDS_MAX
        )
        return bool(result)


def apprise_channel(name: str, url: str) -> AppriseChannel:
    """The channel of one URL; `name` says which one it is.

    Raises:
        WrongAddressError: Apprise does not take it.
    """
    for logger in _QUIET_LOGGERS:
        logging.getLogger(logger).setLevel(logging.CRITICAL + 1)
    scheme, separator, _ = url.partition("://")
    # What is no scheme may be a token that somebody pasted: it is not repeated.
    shown = f"{scheme}://..." if separator and scheme.lower() in N_MGR else "without a scheme that Apprise knows"
    asset = apprise.AppriseAsset(app_id="Tandem", app_desc="Tandem", app_url="", secure_logging=True)
    service = apprise.Apprise.instantiate(url, asset=asset)
    if service is None:
        raise WrongAddressError(f"{name} ({shown}): allowed is a URL as Apprise documents it; it is not shown here")
    return AppriseChannel(f"{name} ({shown})", service)
