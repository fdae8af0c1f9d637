"""How the bus being away shows."""

from nats.errors import Error as NatsError
from nats.js.errors import Error as JetStreamError

BUS_ERRORS = (NatsError, JetStreamError, OSError, TimeoutError)
"""The bus did not do it now: try again."""
