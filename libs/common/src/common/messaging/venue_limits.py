"""What services share of the venues' limits: a bucket of NATS' key-value store."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog
from nats.js import JetStreamContext
from nats.js.errors import BadRequestError, KeyNotFoundError, KeyWrongLastSequenceError, NotFoundError
from nats.js.kv import KeyValue

from common.messaging.failures import BUS_ERRORS
from common.venues.shared_limits import Change, SharingAway

log = structlog.get_logger(__name__)

BUCKET = "venue_limits"
KEPT_SECONDS = 4 * 24 * 3600
"""Longer than the longest ban."""
SIZE_BYTES_MAX = 1024 * 1024
ANSWER_SECONDS_MAX = 0.25
"""After so long the bus counts as away: what it might still say is about a moment that is over."""
ATTEMPTS_MAX = 8
FOLLOW_ANEW_SECONDS = 10.0
"""A reader of changes may end unseen with the server that knew it: a quiet one is made anew."""
AGAIN_SECONDS = 0.5


class VenueLimitsBucket:
    """`SharedLimits` in a bucket that is made where it is missing, on `replicas` servers of a cluster."""

    def __init__(self, jetstream: JetStreamContext, is_connected: Callable[[], bool], replicas: int) -> None:
        self._jetstream = jetstream
        self._is_connected = is_connected
        self._replicas = replicas
        self._bucket: KeyValue | None = None

    async def change(self, key: str, change: Change) -> None:
        if not self._is_connected():
            raise SharingAway
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                await self._change(key, change)
        except BUS_ERRORS as error:
            self._bucket = None
            raise SharingAway from error

    async def follow(self, keys: str, heard: Callable[[str, bytes], None]) -> None:
        while True:
            try:
                await self._follow_while_told(f"{keys}.>", heard)
            except BUS_ERRORS as error:
                self._bucket = None
                log.debug("venue_limits.not_followed", error=repr(error))
                await asyncio.sleep(AGAIN_SECONDS)

    async def _change(self, key: str, change: Change) -> None:
        bucket = await self._open()
        for _ in range(ATTEMPTS_MAX):
            try:
                entry = await bucket.get(key)
                stored, revision = entry.value, entry.revision or 0
            except KeyNotFoundError:
                stored, revision = None, 0
            changed = change(stored)
            if changed is None:
                return
            with suppress(KeyWrongLastSequenceError):  # somebody was faster
                await bucket.update(key, changed, last=revision)
                return
        raise SharingAway

    async def _follow_while_told(self, pattern: str, heard: Callable[[str, bytes], None]) -> None:
        watcher = await (await self._open()).watch(pattern, ignore_deletes=True)
        try:
            while True:
                try:
                    entry = await watcher.updates(timeout=FOLLOW_ANEW_SECONDS)  # type: ignore[no-untyped-call]
                except TimeoutError:
                    return
                if entry is not None and entry.value is not None:
                    heard(entry.key, entry.value)
        finally:
            with suppress(*BUS_ERRORS):
                await watcher.stop()  # type: ignore[no-untyped-call]

    async def _open(self) -> KeyValue:
        if self._bucket is None:
            try:
                self._bucket = await self._jetstream.key_value(BUCKET)
            except NotFoundError:
                self._bucket = await self._make()
        return self._bucket

    async def _make(self) -> KeyValue:
        try:
            return await self._jetstream.create_key_value(
                bucket=BUCKET, ttl=KEPT_SECONDS, max_bytes=SIZE_BYTES_MAX, replicas=self._replicas
            )
        except BadRequestError:  # somebody was faster
            return await self._jetstream.key_value(BUCKET)
