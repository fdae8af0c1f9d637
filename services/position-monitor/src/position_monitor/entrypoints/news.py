"""News of trades from the bus: it only says that the ledger is worth reading now."""

from common.messages.contracts import TradeChanged
from common.messages.envelope import Envelope
from common.messages.subjects import NEWS_STREAM, TRADE_CHANGED
from common.messaging.bus import Bus
from common.messaging.consumer import Quarantine
from position_monitor.application.monitor import Monitor


async def listen(bus: Bus, monitor: Monitor, quarantine: Quarantine) -> None:
    """Passes news on, for ever."""

    async def handle(envelope: Envelope) -> None:
        envelope.read(TradeChanged)
        monitor.heard()

    await bus.consume(NEWS_STREAM, "position-monitor", [TRADE_CHANGED], handle, quarantine)
