"""The public interface as callers use it: within the process, or over HTTP through one gateway or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any, NamedTuple, Protocol

import httpx
import msgspec

from tongban_gateway.upstream import AsgiUpstream, UpstreamFailedError, UpstreamRequest
from tongban_shared.errors import UnavailableError
from tongban_shared.web.guard import AsgiApp

ANSWER_S = 10.0
JSON = "application/json"


class Reply(NamedTuple):
    """An answer: status, decoded JSON (None if there is none), headers in lower case."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def code(self) -> str:
        """The stable code of a problem, else the status as text."""
        named = self.body.get("code") if isinstance(self.body, dict) else None
        return named if isinstance(named, str) else f"HTTP_{self.status}"


class Api(Protocol):
    """Whatever answers the calls of api.md."""

    async def call(
        self, method: str, path: str, body: object = None, *, key: str | None = None, wait_s: int = 0
    ) -> Reply:
        """Call. key: Idempotency-Key. wait_s: how long to wait for a case's end. Raises UnavailableError."""
        ...


class InProcess:
    """Calls an ASGI application of this process."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = AsgiUpstream(app)

    async def call(
        self, method: str, path: str, body: object = None, *, key: str | None = None, wait_s: int = 0
    ) -> Reply:
        content = b"" if body is None else msgspec.json.encode(body)
        headers = [
            (name.lower().encode(), value.encode()) for name, value in _headers(body, key, wait_s).items()
        ]
        request = UpstreamRequest(method, path.encode(), headers, content, ANSWER_S + wait_s)
        try:
            answer = await self._app.send(request)
        except UpstreamFailedError as error:
            raise UnavailableError(error.failure.value) from error
        named = {name.decode("latin-1"): value.decode("latin-1") for name, value in answer.headers}
        return Reply(answer.status, _decoded(answer.body), named)

    async def close(self) -> None:
        """End what is under way."""
        await self._app.close()


class OverHttp:
    """Calls over HTTP; several addresses in turn, so that each next call meets another gateway."""

    def __init__(self, clients: Sequence[httpx.AsyncClient]) -> None:
        self._clients = tuple(clients)
        self._turns = cycle(self._clients)

    @classmethod
    def at(cls, *urls: str) -> OverHttp:
        """Clients for these addresses; no proxy of the machine comes in between."""
        return cls([httpx.AsyncClient(base_url=url, trust_env=False) for url in urls])

    async def call(
        self, method: str, path: str, body: object = None, *, key: str | None = None, wait_s: int = 0
    ) -> Reply:
        content = None if body is None else msgspec.json.encode(body)
        try:
            answer = await next(self._turns).request(
                method,
                path,
                content=content,
                headers=_headers(body, key, wait_s),
                timeout=ANSWER_S + wait_s,
            )
        except httpx.TransportError as error:
            raise UnavailableError(f"no answer ({type(error).__name__})") from error
        return Reply(answer.status_code, _decoded(answer.content), answer.headers)

    async def close(self) -> None:
        """Close all connections."""
        for client in self._clients:
            await client.aclose()


def _headers(body: object, key: str | None, wait_s: int) -> dict[str, str]:
    headers = {} if body is None else {"Content-Type": JSON}
    if key is not None:
        headers["Idempotency-Key"] = key
    if wait_s:
        headers["Prefer"] = f"wait={wait_s}"
    return headers


def _decoded(content: bytes) -> Any:  # noqa: ANN401  # JSON, narrowed by the callers
    try:
        return msgspec.json.decode(content) if content else None
    except msgspec.DecodeError:
        return None
