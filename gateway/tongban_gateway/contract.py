"""The public contract: what the gateway serves itself, together with what every registry serves behind it."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import msgspec

from tongban_gateway.forward import Forwarder
from tongban_gateway.upstream import UpstreamRequest
from tongban_shared.errors import TongbanError

# A registry's own pages for its operators are not behind the gateway.
_OWN_PAGES = frozenset(
    {
        *("/livez", "/readyz", "/healthz", "/metrics", "/version", "/openapi.json"),
        *("/v1/ops/pause", "/v1/ops/resume"),
    }
)


class Contract:
    """OpenAPI of the whole surface. All registries run the same code, so any one of them can describe it."""

    def __init__(self, forwarder: Forwarder, own: Callable[[], dict[str, Any]]) -> None:
        self._forwarder = forwarder
        self._own = own
        self._whole: dict[str, Any] | None = None

    async def openapi(self) -> dict[str, Any]:
        """Return the document; only the gateway's own part while no registry answers."""
        if self._whole is None:
            registry = await self._ask_one()
            if registry is None:
                return self._own()
            self._whole = merged(self._own(), registry)
        return self._whole

    async def _ask_one(self) -> dict[str, Any] | None:
        timeout_s = self._forwarder.patience.fan_out_timeout_s
        request = UpstreamRequest("GET", b"/openapi.json", [], b"", timeout_s)
        for province in self._forwarder.lanes:
            try:
                answer = await self._forwarder.ask(province, request)
            except TongbanError:
                continue
            if answer.status == HTTPStatus.OK:
                return _document(answer.body)
        return None


def _document(body: bytes) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def merged(own: dict[str, Any], registry: dict[str, Any]) -> dict[str, Any]:
    """Return both documents as one; where both describe the same thing, ours counts."""
    paths = {path: entry for path, entry in registry.get("paths", {}).items() if path not in _OWN_PAGES}
    schemas = {**_schemas(registry), **_schemas(own)}
    return {**own, "paths": {**paths, **own["paths"]}, "components": {"schemas": schemas}}


def _schemas(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document.get("components", {}).get("schemas", {})
    return schemas if isinstance(schemas, dict) else {}
