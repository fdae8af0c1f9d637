"""Messages from the bus to the use cases."""

from common.messages import subjects
from common.messages.contracts import CloseRequested, RetryDue, RetryEnded, ScaleInRequested, WatchlistEvent
from common.messages.envelope import Envelope
from executor.application.closing import Closing
from executor.application.opening import SignalOpener
from executor.application.scale_in import ScaleIn


class MessageRouter:
    """One handler a subject. A subject that nobody handles is an error, so that nothing is lost in silence."""

    def __init__(self, opener: SignalOpener, scale_in: ScaleIn, closing: Closing) -> None:
        self._opener = opener
        self._scale_in = scale_in
        self._closing = closing

    async def handle(self, envelope: Envelope) -> None:
        """Hands the payload to its use case.

        Raises:
            pydantic.ValidationError: the payload is not what its subject promises.
            LookupError: nobody handles the subject.
        """
        match envelope.subject:
            case subjects.EVENT_OPENED | subjects.EVENT_CHANGED | subjects.EVENT_CLOSED:
                await self._opener.handle_event(envelope.read(WatchlistEvent))
            case subjects.RETRY_DUE:
                await self._opener.handle_retry(envelope.read(RetryDue))
            case subjects.RETRY_ENDED:
                await self._opener.handle_retry_ended(envelope.read(RetryEnded))
            case subjects.SCALE_IN_REQUESTED:
                await self._scale_in.handle(envelope.read(ScaleInRequested))
            case subjects.CLOSE_REQUESTED:
                await self._closing.handle(envelope.read(CloseRequested))
            case _:
                raise LookupError(f"the executor does not handle {envelope.subject}")
