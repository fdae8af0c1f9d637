"""What the REST dialects have in common: the steps of an answer, and faults in the venue's own words.

A dialect says how it reads parameters, verifies a signature and words success and failure; everything that differs
between venues is one of the abstract methods here.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

import orjson

from venue_sim.dialects.order_streams import OrderChannel
from venue_sim.dialects.wire import Answer, Call, Endpoint, Params, json_answer
from venue_sim.faults import EndpointClass, FaultKind, FaultSpec, Target
from venue_sim.refusals import Reason, Refusal


class ApiError(Exception):
    """An error with the venue's own code and text, and the HTTP status that it is answered with."""

    def __init__(self, code: int | str, message: str, status: int = 200) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message
        self.status = status


Words = tuple[int | str, str]
Texts = Mapping[Reason, Words | Callable[[str], Words]]
"""A venue's code and text of each refusal; a function where the text names the figure that matters."""


def words_of(texts: Texts, refusal: Refusal, otherwise: Words) -> Words:
    """The refusal in the venue's words."""
    entry = texts.get(refusal.reason, otherwise)
    return entry if isinstance(entry, tuple) else entry(refusal.detail)


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint and whether its requests must be signed."""

    endpoint: Endpoint
    signed: bool


RouteKey = tuple[str, str]
"""Method and path; a segment of the path that is written `{name}` stands for any, which is the parameter `name`."""
Routes = Mapping[RouteKey, Endpoint]


class RestDialect(ABC):
    """A venue's REST protocol over `public` and `private` routes; the latter must be signed."""

    classes: ClassVar[Mapping[RouteKey, EndpointClass]]
    """What the requests of each route are about."""
    half_an_answer: ClassVar[bytes]
    """The beginning of an answer that breaks off."""
    own_orders: OrderChannel | None = None
    """As `Dialect.own_orders`."""

    def __init__(self, public: Routes, private: Routes) -> None:
        self._routes = {key: Route(endpoint, signed=False) for key, endpoint in public.items()}
        self._routes |= {key: Route(endpoint, signed=True) for key, endpoint in private.items()}
        self._patterns = {key: _pattern(key[1]) for key in self._routes if "{" in key[1]}

    def answer(self, call: Call) -> Answer:
        """As `Dialect.answer`."""
        try:
            key, in_path = self._route(call)
            route = self._routes.get(key)
            if route is None:
                raise self.no_such_route(call)
            params = {**self.params(call), **in_path}
            if route.signed:
                self.verify(call, params)
            return self.success(route.endpoint(params, call))
        except Refusal as refusal:
            error = self.refused(refusal)
        except ApiError as api_error:
            error = api_error
        return self.failure(error)

    def target(self, call: Call) -> Target:
        """As `Dialect.target`."""
        key, params = self._route(call)
        route = self._routes.get(key)
        # A request that cannot be read is about what its path says.
        with suppress(ApiError):
            params = {**self.params(call), **params}
        endpoint = self.class_of(call, params)
        return Target(endpoint, self.symbol(params), route is not None and route.signed, self.reduces(params))

    def _route(self, call: Call) -> tuple[RouteKey, Params]:
        """The key of the route that a request takes, and the parameters that are in its path."""
        asked = (call.method, call.path)
        for key, pattern in self._patterns.items() if asked not in self._routes else ():
            found = pattern.fullmatch(call.path)
            if found and key[0] == call.method:
                return key, found.groupdict()
        return asked, {}

    def fault_answer(self, fault: FaultSpec, remaining_seconds: float) -> Answer:
        """As `Dialect.fault_answer`."""
        match fault.kind:
            case FaultKind.BAN:
                return self.banned(fault.status or 418, remaining_seconds)
            case FaultKind.SERVER_ERROR:
                return self.server_error(fault.status)
            case FaultKind.MALFORMED:
                return Answer(200, self.half_an_answer)
            case FaultKind.NONCE:
                return self.failure(self.outside_the_window())
            case FaultKind.DUPLICATE:
                return self.order_failure(self.refused(Refusal(Reason.DUPLICATE_CLIENT_ID)))
            case FaultKind.REJECT:
                return self.order_failure(self._rejection(fault.reason))
            case _:
                return json_answer({})

    def _rejection(self, reason: str) -> ApiError:
        if reason == "generic":
            return self.some_rejection()
        named = {"margin": Reason.MARGIN_INSUFFICIENT, "reduce_only": Reason.REDUCE_ONLY_WITHOUT_POSITION}
        return self.refused(Refusal(named[reason]))

    def class_of(self, call: Call, params: Params) -> EndpointClass | None:
        """What a request is about, where its path alone does not say."""
        return self.classes.get(self._route(call)[0])

    def reduces(self, params: Params) -> bool:
        """Whether the parameters are those of an order that only reduces."""
        return params.get("reduceOnly", "").lower() == "true"

    def order_failure(self, error: ApiError) -> Answer:
        """An error of an order that could be read; some venues word it unlike all others."""
        return self.failure(error)

    @abstractmethod
    def params(self, call: Call) -> Params:
        """The parameters of query and body as text; raises ApiError where they cannot be read."""

    @abstractmethod
    def verify(self, call: Call, params: Params) -> None:
        """Raises ApiError unless the request is signed, by this key, just now."""

    @abstractmethod
    def symbol(self, params: Params) -> str | None:
        """The scenario's symbol that the parameters name."""

    @abstractmethod
    def success(self, result: object) -> Answer: ...

    @abstractmethod
    def failure(self, error: ApiError) -> Answer: ...

    @abstractmethod
    def refused(self, refusal: Refusal) -> ApiError:
        """A refusal in the venue's words."""

    @abstractmethod
    def no_such_route(self, call: Call) -> ApiError: ...

    @abstractmethod
    def outside_the_window(self) -> ApiError:
        """The timestamp is too old or too new."""

    @abstractmethod
    def some_rejection(self) -> ApiError:
        """Any other reason for which the venue rejects an order."""

    @abstractmethod
    def banned(self, status: int, remaining_seconds: float) -> Answer:
        """Too many requests: 418 is a ban, 429 a limit, in the form in which the venue says it."""

    @abstractmethod
    def server_error(self, status: int | None) -> Answer:
        """`status` None: as the venue usually says that it has a problem."""


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path))


def json_params(body: bytes, unreadable: ApiError) -> Params:
    """The fields of a JSON object as text."""
    try:
        content = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise unreadable from error
    if not isinstance(content, dict):
        raise unreadable
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in content.items()
        if value is not None
    }


def is_integer(value: str) -> bool:
    """Whether a parameter is a number of milliseconds or the like, and not absurdly long."""
    return value.isascii() and value.isdigit() and len(value) <= 18


def read_required(params: Params, name: str, missing: Callable[[str], ApiError]) -> str:
    """A mandatory parameter; `missing` is what the venue says without it."""
    value = params.get(name, "")
    if not value:
        raise missing(name)
    return value


def read_integer(params: Params, name: str, wrong: Callable[[str], ApiError]) -> int | None:
    """An integer parameter, or None where it is absent; `wrong` is what the venue says of another."""
    value = params.get(name, "")
    if value and not is_integer(value):
        raise wrong(name)
    return int(value) if value else None
