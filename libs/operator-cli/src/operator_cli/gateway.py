"""The gateway as the command sees it: JSON over HTTP, and every failure a sentence."""

import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from operator_cli.exits import Refused, Unreachable

ANSWER_SECONDS_MAX = 10.0
PAGE_ITEMS_MAX = 200

Content = dict[str, Any]
Query = Mapping[str, str | int | None]


class Gateway:
    """A connection to one gateway. `token` is sent as bearer and shown nowhere.

    The environment's proxies and .netrc are ignored: both could give the token to somebody else, or replace it.
    """

    def __init__(self, address: str, token: str | None = None) -> None:
        self.address = address
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=address, headers=headers, timeout=ANSWER_SECONDS_MAX, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, path: str, query: Query | None = None, *, statuses: frozenset[int] = frozenset()) -> Content:
        """What stands at `path`; an error status among `statuses` is an answer too, unless it comes as a problem.

        Raises:
            Refused: the gateway says no.
            Unreachable: it does not answer, or is no gateway.
        """
        wanted = {name: value for name, value in (query or {}).items() if value is not None}
        try:
            response = self._http.get(path, params=wanted)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        return self._content(response, statuses)

    def pages(self, path: str, query: Query, limit: int) -> list[Content]:
        """The newest `limit` items of a list, page by page. Raises as `get` does."""
        items: list[Content] = []
        position: str | int | None = None
        while True:
            wanted = {**query, "limit": min(limit - len(items), PAGE_ITEMS_MAX), "before": position}
            page = self.get(path, wanted)
            if not {"items", "next"} <= page.keys():
                raise self._no_gateway(200)
            items += page["items"]
            position = page["next"]
            if position is None or len(items) >= limit:
                return items

    def post(
        self, path: str, body: Mapping[str, object], *, wait_seconds: float, statuses: frozenset[int] = frozenset()
    ) -> Content:
        """The outcome of a command that the gateway waits for, `wait_seconds` (real) at most; `statuses` as `get`.

        Raises:
            Refused: the gateway says no.
            Unreachable: it does not answer; the sentence says whether the command may have been recorded.
        """
        try:
            response = self._http.post(path, json=body, timeout=wait_seconds + ANSWER_SECONDS_MAX)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise self._unreachable(error, ": nothing was asked") from error
        except httpx.HTTPError as error:
            unknown = ": it is not known whether the request was recorded; asking again is safe"
            raise self._unreachable(error, unknown) from error
        return self._content(response, statuses)

    def _content(self, response: httpx.Response, statuses: frozenset[int] = frozenset()) -> Content:
        try:
            content = json.loads(response.content)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise self._no_gateway(response.status_code)
        if response.is_success:
            return content
        if "detail" in content:
            raise Refused(_sentence(response.status_code, content))
        if response.status_code in statuses:
            return content
        raise self._no_gateway(response.status_code)

    def _unreachable(self, error: httpx.HTTPError, consequence: str = "") -> Unreachable:
        reason = str(error) or type(error).__name__
        return Unreachable(f"The gateway at {self.address} cannot be reached ({reason}){consequence}.")

    def _no_gateway(self, status: int) -> Unreachable:
        return Unreachable(f"What answers at {self.address} is no gateway of Tandem (HTTP {status}).")


def _sentence(status: int, problem: Content) -> str:
    """A problem document in words: what is wrong, and for each field its value and what is allowed."""
    wrong = [
        f"{error.get('field')} is {error.get('value')!r}, allowed: {error.get('allowed')}"
        for error in problem.get("errors", [])
    ]
    return "; ".join([f"The gateway refused ({status}): {problem['detail']}", *wrong]) + "."
