"""The twin equals the contract: pydantic and the fast decoder take and refuse the same bytes."""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from pydantic import BaseModel, StringConstraints, ValidationError

from tongban_shared.messages.codec import CONTRACTS, encode_contract, twin
from tongban_shared.messages.envelope import Envelope
from tongban_shared.messages.types import MESSAGE_ID

ALL: tuple[type[BaseModel], ...] = (*CONTRACTS, Envelope)
MOMENTS = st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([2**31, 2**63 - 1, 1.0, 1.5, "", "OK", "1", "x" * 201, "\n", "2026-03-02", [], {}, [[]]]),
)
# What is put behind a good text: the end of a line is where two kinds of regular expressions differ.
TAILS = ("\n", " ", "\r\n", "\x00", "x", "0", "é", "٣")
TIMES = (
    "2026-03-02T01:00:00",
    "2026-03-02T01:00:00Z",
    "2026-03-02T01:00:00+08:00",
    "2026-03-02T01:00:00.123456Z",
    "2026-13-02T01:00:00Z",
    "2026-02-30T01:00:00Z",
    "2026-03-02T25:00:00Z",
    "2026-03-02",
    "",
    1772413200,
)


def values(hint: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401  # a type, read at run time
    """Good values of a field's type, as JSON types."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _limited(args)
    if origin in (Union, typing.get_origin(int | None)):
        return st.one_of([values(arg) for arg in args])
    if origin is Literal:
        return st.sampled_from(args)
    if origin is tuple:
        return st.lists(values(args[0]), max_size=3)
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return bodies(hint)
    return {type(None): st.none(), bool: st.booleans(), int: st.integers(0, 9), str: st.text(max_size=9)}[
        hint
    ]


def _limited(args: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    limits = [meta for meta in args[1:] if isinstance(meta, StringConstraints)]
    if args[0] is datetime:
        return MOMENTS.map(datetime.isoformat)
    if limits and limits[0].pattern == MESSAGE_ID:
        return st.from_regex(r"\A[0-9]{2}-[0-9]{2}-[0-9]{1,9}-[0-9]{1,9}\Z")
    if limits and isinstance(limits[0].pattern, str):
        return st.from_regex(r"\A" + limits[0].pattern[1:-1] + r"\Z")
    if limits:
        return st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
    return values(args[0])


@cache
def bodies(model: type[BaseModel]) -> st.SearchStrategy[dict[str, Any]]:
    """Good bodies of a contract, with or without what may be left out."""
    hints = typing.get_type_hints(model, include_extras=True)
    fields = {name: values(hints[name]) for name in model.model_fields}
    needed = {name: fields[name] for name, info in model.model_fields.items() if info.is_required()}
    optional = {name: strategy for name, strategy in fields.items() if name not in needed}
    return st.fixed_dictionaries(needed, optional=optional)


def taken(model: type[BaseModel], raw: bytes) -> tuple[bytes | None, bytes | None]:
    """What pydantic and the twin make of the bytes, encoded again; None: refused."""
    slow: bytes | None
    fast: bytes | None
    try:
        slow = encode_contract(model.model_validate_json(raw))
    except ValidationError:
        slow = None
    try:
        fast = encode_contract(msgspec.json.decode(raw, type=twin(model)))
    except (msgspec.DecodeError, UnicodeDecodeError):
        fast = None
    return slow, fast


contracts = pytest.mark.parametrize("model", ALL, ids=lambda model: model.__name__)
NUMBER_IN_TEXT = re.compile(rb'"-?[0-9]+(\.[0-9]+)?"')
patient = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@contracts
@patient
@given(data=st.data())
def test_both_take_what_fits(model: type[BaseModel], data: st.DataObject) -> None:
    """A good body is taken by both, and both say the same bytes of it."""
    raw = json.dumps(data.draw(bodies(model)), ensure_ascii=False).encode()
    slow, fast = taken(model, raw)
    assert slow is not None
    assert slow == fast


@contracts
@patient
@given(data=st.data())
def test_both_refuse_what_does_not_fit(model: type[BaseModel], data: st.DataObject) -> None:
    """A body changed in one place is taken or refused by both alike, and read as the same.

    One known difference: pydantic takes a number in a text for a time; the twin, and so the wire, does not.
    """
    raw = json.dumps(_changed(data.draw(bodies(model)), data), ensure_ascii=False).encode(
        "utf-8", "surrogatepass"
    )
    slow, fast = taken(model, raw)
    assert slow == fast or (fast is None and NUMBER_IN_TEXT.search(raw)), raw


def _changed(body: dict[str, Any], data: st.DataObject) -> Any:  # noqa: ANN401  # JSON
    """One change somewhere in a body: a field dropped, added, or with another value."""
    place: Any = body
    keys = list(_places(body))
    if not keys:
        return data.draw(SCALARS)
    path = data.draw(st.sampled_from(keys))
    for key in path[:-1]:
        place = place[key]
    kind = data.draw(st.sampled_from(["value", "tail", "time", "drop", "more"]))
    if kind == "drop" and isinstance(place, dict):
        del place[path[-1]]
    elif kind == "more" and isinstance(place, dict):
        place["more"] = data.draw(SCALARS)
    elif kind == "tail" and isinstance(place[path[-1]], str):
        place[path[-1]] += data.draw(st.sampled_from(TAILS))
    elif kind == "time" and _is_moment(place[path[-1]]):
        place[path[-1]] = data.draw(st.sampled_from(TIMES))
    else:
        place[path[-1]] = data.draw(SCALARS)
    return body


def _is_moment(value: object) -> bool:
    return isinstance(value, str) and value[4:5] == "-" and "T" in value


def _places(body: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:  # noqa: ANN401  # JSON
    """Paths to every value in a body."""
    found: list[tuple[Any, ...]] = []
    items: Any = (
        body.items() if isinstance(body, Mapping) else enumerate(body) if isinstance(body, list) else ()
    )
    for key, value in items:
        found.append((*path, key))
        found += _places(value, (*path, key))
    return found


@contracts
@pytest.mark.parametrize("raw", [b"", b"[]", b"null", b"1", b'"x"', b"{", b"\xff", b"{}{}", b"{} x"])
def test_both_refuse_what_is_no_object(model: type[BaseModel], raw: bytes) -> None:
    """What is no JSON object is refused by both."""
    assert taken(model, raw) == (None, None)
