from __future__ import annotations

import json

import pytest

from tongban_shared.errors import RefusedError
from tongban_shared.web.guard import JSON_DEPTH_MAX
from tongban_shared.web.json_check import check_json


def refusal_of(body: bytes) -> str | None:
    """The code a body is refused with, None if it passes."""
    try:
        check_json(body, JSON_DEPTH_MAX)
    except RefusedError as error:
        return error.reason
    return None


BAD_JSON = {
    "cut off": b'{"a":',
    "two values": b"{} {}",
    "trailing comma": b'{"a":1,}',
    "no quotes": b"{a:1}",
    "NaN": b'{"a":NaN}',
    "infinite": b'{"a":1e999}',
    "byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "broken UTF-8": b'{"a":"\xff"}',
    "lone surrogate": b'{"a":"\\ud800"}',
    "U+0000": b'{"a":"\\u0000"}',
    "open brackets": b"[" * 100_000,
    "closed brackets": b"]" * 100_000,
    "open string": b'"' + b"[" * 100_000,
}


@pytest.mark.parametrize("body", BAD_JSON.values(), ids=BAD_JSON.keys())
def test_what_is_no_json_is_400(body: bytes) -> None:
    """Bytes that are no JSON, or JSON that no database takes, are refused at the door."""
    assert refusal_of(body) == "JSON_INVALID"


DEEP = {
    "lists": b'{"a":' + b"[" * 20 + b"]" * 20 + b"}",
    "objects": b'{"a":' * 21 + b"1" + b"}" * 21,
    "mixed": b'{"a":[' * 11 + b"1" + b"]}" * 11,
    "very deep": b"[" * 400_000 + b"]" * 400_000,
}


@pytest.mark.parametrize("body", DEEP.values(), ids=DEEP.keys())
def test_json_deeper_than_20_is_400(body: bytes) -> None:
    """Nesting beyond 20 levels is refused before anything parses it."""
    assert refusal_of(body) == "JSON_TOO_DEEP"


SHALLOW = {
    "20 levels": b'{"a":' + b"[" * 19 + b"]" * 19 + b"}",
    "many siblings": b'{"a":[' + b"[],{}," * 5_000 + b"[]]}",
    "brackets in text": json.dumps({"a": "[" * 500 + '"{' + "\\"}).encode(),
    "escaped zero": b'{"a":"\\\\u0000"}',
}


@pytest.mark.parametrize("body", SHALLOW.values(), ids=SHALLOW.keys())
def test_json_up_to_20_levels_passes(body: bytes) -> None:
    """Width is no depth, and brackets in text are text."""
    assert refusal_of(body) is None


@pytest.mark.parametrize("depth", range(1, 45))
def test_the_limit_is_exact(depth: int) -> None:
    """Each kind of nesting is counted to the level, whatever it alternates with."""
    too_deep = "JSON_TOO_DEEP" if depth > JSON_DEPTH_MAX else None
    for pairs in (("[", "]"),), (('{"a":', "}"),), (("[", "]"), ('{"a":', "}")):
        levels = [pairs[level % len(pairs)] for level in range(depth)]
        text = "".join(opening for opening, _ in levels) + "1" + "".join(end for _, end in reversed(levels))
        assert json.loads(text)
        assert refusal_of(text.encode()) == too_deep
