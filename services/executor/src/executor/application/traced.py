"""Shows the work on a trade in the trade's own trace, and puts the trade's id on every log line within."""

import functools
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, TypeVar

from common.runtime.tracing import trade_span
from executor.domain.records import Trade, TradeBook

Owner = TypeVar("Owner")
Subject = TypeVar("Subject", Trade, TradeBook)
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
_Work = Callable[Concatenate[Owner, Subject, Parameters], Coroutine[Any, Any, Result]]


def traced(
    name: str,
) -> Callable[[_Work[Owner, Subject, Parameters, Result]], _Work[Owner, Subject, Parameters, Result]]:
    """For methods whose first argument is the trade, or its book, that they work on."""

    def decorate(work: _Work[Owner, Subject, Parameters, Result]) -> _Work[Owner, Subject, Parameters, Result]:
        @functools.wraps(work)
        async def shown(
            owner: Owner, subject: Subject, /, *arguments: Parameters.args, **named: Parameters.kwargs
        ) -> Result:
            trade = subject.trade if isinstance(subject, TradeBook) else subject
            with trade_span(name, trade.id, trade.traceparent):
                return await work(owner, subject, *arguments, **named)

        return shown

    return decorate
