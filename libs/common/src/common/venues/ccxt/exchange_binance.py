"""ccxt's class of Binance USD-M, where it is not what is needed."""

from collections.abc import Mapping
from typing import Any

import ccxt.async_support as ccxt_async


class BinanceExchange(ccxt_async.binanceusdm):  # type: ignore[misc]  # ccxt has no types
    """Knows its codes at any address."""

    def get_exceptions_by_url(self, url: str, kind: str) -> Any:
        # ccxt picks the table of codes by host name; a server that stands in has another one.
        tables = self.exceptions.get("linear") or {}
        return tables.get(kind) or {}

    @staticmethod
    def own_code(response: Mapping[str, Any]) -> Any:
        return response.get("code")
