"""Questions to the whole country: every province is asked at once, and one that is away is shown as away."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import msgspec

from tongban_gateway.forward import Forwarder, ProvinceAwayError
from tongban_gateway.upstream import UpstreamRequest
from tongban_shared.errors import RefusedError, TongbanError
from tongban_shared.ids import Province
from tongban_shared.web.problems import PROBLEMS, Headers

LIMIT_MAX = 200
AGE = "_age_s"


@dataclass(frozen=True, slots=True)
class Voice:
    """What one province said: `body`, or why there is none."""

    province: Province
    body: dict[str, Any] | None
    reason: str | None = None
    since: str | None = None
    refused: RefusedError | None = None


class FanOut:
    """Asks all provinces the same question."""

    def __init__(self, forwarder: Forwarder) -> None:
        self._forwarder = forwarder

    async def ask(self, targets: Mapping[Province, bytes], headers: Headers) -> list[Voice]:
        """Ask each province for its target at once; the slowest costs the limit of the fan-out, no more."""
        async with asyncio.TaskGroup() as group:
            # No child raises: a task group would cancel the others, and with them requests under way.
            asked = [
                group.create_task(self._ask_one(province, target, headers))
                for province, target in sorted(targets.items())
            ]
        voices = [task.result() for task in asked]
        if voices and all(voice.refused for voice in voices):
            # The question itself is wrong: all say so, and one of them is enough.
            raise voices[0].refused or RefusedError("INPUT_INVALID")
        return voices

    async def _ask_one(self, province: Province, target: bytes, headers: Headers) -> Voice:
        timeout_s = self._forwarder.patience.fan_out_timeout_s
        request = UpstreamRequest("GET", target, headers, b"", timeout_s)
        try:
            answer = await self._forwarder.ask(province, request)
        except ProvinceAwayError as away:
            since = away.since.isoformat(timespec="seconds") if away.since else None
            return Voice(province, None, away.code, since)
        except TongbanError as error:
            return Voice(province, None, error.code)
        body = _object(answer.body)
        if answer.status == HTTPStatus.OK:
            return Voice(province, body, None if body is not None else "BAD_ANSWER")
        code, detail = (str((body or {}).get(name, "")) for name in ("code", "detail"))
        client_fault = answer.status < HTTPStatus.INTERNAL_SERVER_ERROR and code in PROBLEMS
        refused = RefusedError(code, detail) if client_fault else None
        return Voice(province, None, code or f"HTTP_{answer.status}", refused=refused)

    async def summary(self, path: bytes, query: Mapping[str, str], headers: Headers) -> dict[str, Any]:
        """One row a province, and the sums of what is a number in all rows."""
        target = _target(path, query)
        voices = await self.ask(dict.fromkeys(self._forwarder.lanes, target), headers)
        rows = [self._row(voice) for voice in voices]
        return {"provinces": rows, "totals": _totals(rows), "unreachable": _unreachable(voices)}

    def _row(self, voice: Voice) -> dict[str, Any]:
        lane = self._forwarder.lanes[voice.province]
        row: dict[str, Any] = {"province": voice.province, "name": lane.profile.name}
        if voice.body is None:
            return {
                **row,
                "reachable": False,
                "state": "UNREACHABLE",
                "reason": voice.reason,
                "since": voice.since,
            }
        return {**_flat(voice.body), **row, "reachable": True}

    async def listing(self, path: bytes, query: Mapping[str, str], headers: Headers) -> dict[str, Any]:
        """One page of all provinces' lists; `next` is a cursor while any of them has more.

        Each province gives its share of the page, so a page holds at most `limit` entries, or one a province.
        """
        cursors = _read_cursor(query.get("cursor"), self._forwarder.lanes)
        share = max(1, _limit(query.get("limit")) // max(1, len(cursors)))
        rest = {name: value for name, value in query.items() if name not in ("cursor", "limit")}
        targets = {}
        for province, cursor in cursors.items():
            page = {**rest, "limit": str(share), **({"cursor": cursor} if cursor else {})}
            targets[province] = _target(path, page)
        voices = await self.ask(targets, headers)
        return self.gathered(voices)

    def gathered(self, voices: list[Voice]) -> dict[str, Any]:
        """All entries, each with its province, and who could not be asked."""
        return {
            "items": sorted(
                (_stamped(item, v.province) for v in voices if v.body for item in _items(v.body)),
                key=_overdue_first,
            ),
            "next": _write_cursor(voices),
            "unreachable": _unreachable(voices),
        }


def _target(path: bytes, query: Mapping[str, str]) -> bytes:
    return path + b"?" + urlencode(query).encode("ascii") if query else path


def _object(body: bytes) -> dict[str, Any] | None:
    """The body if it is a JSON object: a peer may send anything."""
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return decoded if isinstance(decoded, dict) else None


def _flat(body: dict[str, Any]) -> dict[str, Any]:
    """A registry serves the gateway's own shape for its one province; its row is what is wanted here."""
    rows = body.get("provinces")
    return rows[0] if isinstance(rows, list) and len(rows) == 1 and isinstance(rows[0], dict) else body


def _items(body: dict[str, Any]) -> Iterable[Any]:
    items = body.get("items")
    return items if isinstance(items, list) else ()


def _stamped(item: object, province: Province) -> object:
    return {"province": province, **item} if isinstance(item, dict) else item


def _unreachable(voices: Iterable[Voice]) -> list[dict[str, Any]]:
    away = [voice for voice in voices if voice.body is None]
    return [{"province": voice.province, "reason": voice.reason, "since": voice.since} for voice in away]


def _totals(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Over the provinces that answered: sums of counts, also of nested ones; of ages the highest."""
    totals: dict[str, Any] = {}
    for row in rows:
        for name, value in row.items():
            before = totals.get(name)
            if isinstance(value, dict) and isinstance(before, dict | None):
                nested = _totals((before or {}, value))
                totals.update({name: nested} if nested else {})
            elif _is_number(value) and (before is None or _is_number(before)):
                totals[name] = max(before or 0, value) if name.endswith(AGE) else (before or 0) + value
    return totals


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _overdue_first(item: object) -> tuple[bool, str]:
    """As each province sorts its own list; entries that have no such thing keep their place."""
    entry = item if isinstance(item, dict) else {}
    return not entry.get("overdue", False), str(entry.get("due_at") or "")


def _limit(limit: str | None) -> int:
    if limit is None or not limit.isascii() or not limit.isdigit():
        return LIMIT_MAX
    return min(max(1, int(limit[:4])), LIMIT_MAX)


def _write_cursor(voices: Iterable[Voice]) -> str | None:
    """The provinces that have more, each with its own cursor, as one opaque text."""
    more = {v.province: v.body["next"] for v in voices if v.body and isinstance(v.body.get("next"), str)}
    return base64.urlsafe_b64encode(msgspec.json.encode(more)).decode("ascii") if more else None


def _read_cursor(cursor: str | None, provinces: Iterable[Province]) -> Mapping[Province, str]:
    """Cursors by province; all from the beginning without one. Raises RefusedError(CURSOR_INVALID)."""
    known = dict.fromkeys(provinces, "")
    if cursor is None:
        return known
    try:
        cursors = msgspec.json.decode(base64.urlsafe_b64decode(cursor), type=dict[str, str])
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise RefusedError("CURSOR_INVALID") from error
    if not cursors or not cursors.keys() <= known.keys():
        raise RefusedError("CURSOR_INVALID")
    return {Province(province): inner for province, inner in cursors.items()}
