"""Messages from the bus to the use cases."""

from common.messages import subjects
from common.messages.contracts import (
    CloseRequested,
    FlattenRequested,
    RetryDue,
    RetryEnded,
    ScaleInRequested,
    TradingStateRequested,
    WatchlistEvent,
)
from common.messages.envelope import Envelope
from common.messaging.errors import TryLater
from common.venues.errors import OrderNotSent, VenueBanned, VenueUnreachable
from executor.application.ports import TradeBusyError, TradingStates
from executor.application.use_cases import UseCases
from executor.domain.trading_state import TradingState


class MessageRouter:
    """One handler a subject. A subject that nobody handles is an error, so that nothing is lost in silence."""

    def __init__(self, does: UseCases, states: TradingStates) -> None:
        self._does = does
        self._states = states

    async def handle(self, envelope: Envelope) -> None:
        """Hands the payload to its use case.

        Raises:
            TryLater: another worker holds the trade, a venue gives no answer now, or the trading state cannot be read.
            pydantic.ValidationError: the payload is not what its subject promises.
            LookupError: nobody handles the subject.
        """
        try:
            await self._dispatch(envelope)
        except (TradeBusyError, VenueUnreachable, VenueBanned, OrderNotSent) as error:
            raise TryLater(str(error)) from error

    async def _dispatch(self, envelope: Envelope) -> None:
        match envelope.subject:
            case subjects.EVENT_OPENED | subjects.EVENT_CHANGED | subjects.EVENT_CLOSED:
                await self._does.opener.handle_event(envelope.read(WatchlistEvent))
            case subjects.RETRY_DUE:
                await self._does.opener.handle_retry(envelope.read(RetryDue))
            case subjects.RETRY_ENDED:
                await self._does.opener.handle_retry_ended(envelope.read(RetryEnded))
            case subjects.SCALE_IN_REQUESTED:
                await self._does.scale_in.handle(envelope.read(ScaleInRequested))
            case subjects.CLOSE_REQUESTED:
                await self._does.closing.handle(envelope.read(CloseRequested))
            case subjects.FLATTEN_REQUESTED:
                await self._does.flattening.handle(envelope.read(FlattenRequested))
            case subjects.TRADING_STATE_REQUESTED:
                await self._change_state(envelope.read(TradingStateRequested))
            case _:
                raise LookupError(f"the executor does not handle {envelope.subject}")

    async def _change_state(self, request: TradingStateRequested) -> None:
        await self._states.change(TradingState(request.state), request.why, request.requested_by, {})
