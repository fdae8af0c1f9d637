"""Messages that come twice, in the wrong order and under new ids: whatever was done once is not done again."""

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

import nats
from nats.js.api import ConsumerConfig, DeliverPolicy

from chaos.cases import REACHED_WITHIN_SECONDS, Result, closed_on_demand, opened
from chaos.house import House, NotReached, until
from common.messages.subjects import COMMAND_STREAM, EVENT_STREAM
from common.messaging.failures import BUS_ERRORS
from local_stack.services import title_of

GROUP = "duplicates and reordering"
COPIES = 3
BUS_ANSWERS_WITHIN_SECONDS = 30.0
LOOK_EVERY_SECONDS = 0.1

_numbers = itertools.count(1)
_DONE = """
SELECT (SELECT count(*) FROM watchlist.live_trade_order) AS orders,
       (SELECT count(*) FROM watchlist.live_trade_fill) AS fills,
       (SELECT count(*) FROM watchlist.live_trade_signal) AS signals,
       (SELECT count(*) FROM watchlist.live_trade_signal WHERE status = 'open') AS open
"""
_SIGNALS = "SELECT status FROM watchlist.live_trade_signal WHERE symbol = $1"


async def all_again(house: House) -> Result:
    """Everything that is left in the streams comes again, newest first, several times: nothing may change."""
    result = Result(GROUP, f"every message again, newest first, {COPIES} times, under new ids")
    before = await house.rows(_DONE), await _taken(house)
    sent = await _send_again(house, [EVENT_STREAM, COMMAND_STREAM])
    try:
        await _all_handled(house)
    except NotReached as error:
        result.failures.append(str(error))
    after = await house.rows(_DONE), await _taken(house)
    if before != after:
        result.failures.append(f"(b) {sent} repeated messages changed {before} to {after}")
    result.name += f" ({sent} messages)"
    return result


async def copies_before_the_first_look(house: House, symbol: str) -> Result:
    """An event and its copies wait while the executor is away: it opens one trade."""
    result = Result(GROUP, "copies of an event wait for the executor together", symbol)
    await house.stack.parts.kill(title_of("executor"))
    await house.post_observation(symbol)
    await house.post_observation(symbol)
    await _send_again(house, [EVENT_STREAM], symbol)
    await house.restart(title_of("executor"))

    async def is_open() -> bool:
        return [row["status"] for row in await house.rows(_SIGNALS, symbol)] == ["open"]

    try:
        await until(f"one trade of {symbol} is open", is_open, REACHED_WITHIN_SECONDS)
        await _all_handled(house)
    except NotReached as error:
        result.failures.append(str(error))
    opened = [order for ledger in await house.ledgers() for order in ledger["orders"] if order["symbol"] == symbol]
    if len(opened) != len(house.stack.venues):
        result.failures.append(f"(b) the venues took {len(opened)} orders for one event")
    return result


async def copies_while_it_lives(house: House, symbol: str) -> Result:
    """Everything that was said of a trade is said again while it is open, and again while it closes."""
    result = Result(GROUP, "copies of all that was said of a trade, while it opens, lives and closes", symbol)
    try:
        posted = asyncio.create_task(house.post_observation(symbol))
        await _send_again(house, [EVENT_STREAM], symbol)
        await posted
        signal_id = await opened(house, symbol)
        await _send_again(house, [EVENT_STREAM], symbol)
        closing = asyncio.create_task(closed_on_demand(house, signal_id, is_repeated=True))
        await _send_again(house, [EVENT_STREAM, COMMAND_STREAM], symbol, f'"signal_id":{signal_id},')
        await closing
        await _all_handled(house)
    except NotReached as error:
        result.failures.append(str(error))
    taken = [order for ledger in await house.ledgers() for order in ledger["orders"] if order["symbol"] == symbol]
    if len(taken) != 2 * len(house.stack.venues):
        result.failures.append(f"(b) the venues took {len(taken)} orders to open and close one trade")
    return result


async def _taken(house: House) -> list[int]:
    return [len(ledger["orders"]) for ledger in await house.ledgers()]


async def _send_again(house: House, streams: Sequence[str], *about: str) -> int:
    """Publishes what the streams hold, and is about any of these texts, anew; how many messages."""
    connection = await nats.connect(house.stack.nats_url)
    try:
        jetstream = connection.jetstream(timeout=BUS_ANSWERS_WITHIN_SECONDS)
        messages = [message for stream in streams for message in await _kept(jetstream, stream)]
        wanted = [m for m in messages if not about or any(text.encode() in m.data for text in about)]
        for _ in range(COPIES):
            for message in reversed(wanted):
                headers = {"Nats-Msg-Id": f"again-{next(_numbers)}"}
                await jetstream.publish(message.subject, message.data, headers=headers)
        return COPIES * len(wanted)
    finally:
        await connection.close()


async def _kept(jetstream: Any, stream: str) -> list[Any]:
    """All messages of a stream, oldest first."""
    count = (await jetstream.stream_info(stream)).state.messages
    subscription = await jetstream.subscribe(
        "", stream=stream, ordered_consumer=True, config=ConsumerConfig(deliver_policy=DeliverPolicy.ALL)
    )
    try:
        return [await subscription.next_msg(timeout=BUS_ANSWERS_WITHIN_SECONDS) for _ in range(count)]
    finally:
        await subscription.unsubscribe()


async def _all_handled(house: House) -> None:
    """Waits until no consumer has anything left to deliver or in hand."""
    connection = await nats.connect(house.stack.nats_url)
    try:
        jetstream = connection.jetstream()

        async def nothing_left() -> bool:
            try:
                consumers = [
                    info for stream in (EVENT_STREAM, COMMAND_STREAM) for info in await jetstream.consumers_info(stream)
                ]
            except BUS_ERRORS:  # a busy bus is asked again
                return False
            return not any(info.num_pending or info.num_ack_pending for info in consumers if info.config.durable_name)

        await until("every repeated message is handled", nothing_left, REACHED_WITHIN_SECONDS, LOOK_EVERY_SECONDS)
    finally:
        await connection.close()
