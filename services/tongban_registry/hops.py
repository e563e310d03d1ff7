"""The signed hops of a case as this side knows them: when each message went or came, never what it said."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any

import msgspec

from tongban_registry.storage.rows import from_us, from_us_or_none
from tongban_registry.views import local

if TYPE_CHECKING:
    from tongban_registry.storage.report_sql import Found
    from tongban_registry.storage.reports import Hops


class _Named(msgspec.Struct):
    """What a hop shows of an envelope."""

    type: str


class _Framed(msgspec.Struct):
    envelope: _Named


_framed = msgspec.json.Decoder(_Framed).decode


def hops_view(hops: Hops, province: str) -> list[dict[str, Any]]:
    """All hops in the order of this side's clock."""
    both = [*map(_sent, hops.sent), *_taken(hops, province)]
    both.sort(key=lambda hop: (hop[0], hop[1]["direction"]))
    return [view for _, view in both]


def _sent(row: Found) -> tuple[int, dict[str, Any]]:
    sender, receiver, *_ = row.message_id.split("-")
    return row.made_at, {
        "message_id": row.message_id,
        "direction": "sent",
        "type": _framed(row.raw).envelope.type,
        "from": sender,
        "to": receiver,
        "at": local(from_us(row.made_at)),
        "tries": row.tries + 1,
        "receipted_at": local(from_us_or_none(row.receipted_at)),
        "next_try_at": local(from_us_or_none(row.next_try_at)),
        "returned": row.returned,
    }


def _taken(hops: Hops, province: str) -> list[tuple[int, dict[str, Any]]]:
    """Inbox rows, named after the timeline's lines of the same unit and sender; one that waits has none."""
    names: dict[tuple[str, int], deque[str]] = defaultdict(deque)
    for line in hops.lines:
        if line.province != province:
            names[line.province, line.at].append(line.event)
    found = []
    for row in sorted(hops.taken, key=lambda row: (row.at, _sequence(row.message_id))):
        sender, receiver, *_ = row.message_id.split("-")
        events = names[sender, row.at]
        view = {
            "message_id": row.message_id,
            "direction": "received",
            "type": events.popleft() if events else None,
            "from": sender,
            "to": receiver,
            "at": local(from_us(row.at)),
        }
        found.append((row.at, view))
    return found


def _sequence(message_id: str) -> tuple[int, ...]:
    return tuple(int(part) for part in message_id.split("-"))
