"""The part of YAML that our files are written in, read strictly; anything else is an error.

Block mappings and lists, also lists of mappings, flow mappings and lists, plain and double-quoted scalars,
anchors, aliases and `<<`. All scalars are text, but null. No parser for the whole of YAML is among the locked
packages.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

KEY = re.compile(r"([\w.<-]+|\"[^\"]*\"):(?:\s+(.*))?$")
ANCHOR = re.compile(r"&(\w+)\s*(.*)$")
TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|\$\{[^}]*\}[^,\[\]{}]*|[^\s,\[\]{}"][^,\[\]{}]*|[,\[\]{}])')


@dataclass
class _Reader:
    lines: list[tuple[int, str]]
    at: int = 0
    anchors: dict[str, Any] = field(default_factory=dict)

    def block(self, indent: int) -> Any:  # noqa: ANN401  # any YAML value
        """The mapping or list that stands at this indentation."""
        if self.lines[self.at][1].startswith("- "):
            return self._list(indent)
        return self._mapping(indent)

    def _list(self, indent: int) -> list[Any]:
        found: list[Any] = []
        while self.at < len(self.lines) and self.lines[self.at][0] == indent:
            text = self.lines[self.at][1]
            assert text.startswith("- "), text
            if KEY.match(text[2:]):
                # A mapping that begins behind the dash, as if it stood on a line of its own.
                self.lines[self.at] = (indent + 2, text[2:])
                found.append(self._mapping(indent + 2))
            else:
                found.append(_flow(text[2:]))
                self.at += 1
        return found

    def _mapping(self, indent: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self.at < len(self.lines) and self.lines[self.at][0] == indent:
            match = KEY.match(self.lines[self.at][1])
            assert match, self.lines[self.at][1]
            key, value = match[1].strip('"'), self._value(match[2] or "", indent)
            if key == "<<":
                found = {**value, **found}
            else:
                found[key] = value
        return found

    def _value(self, text: str, indent: int) -> Any:  # noqa: ANN401  # any YAML value
        self.at += 1
        anchor = ANCHOR.match(text)
        if anchor:
            self.anchors[anchor[1]] = value = self._plain(anchor[2], indent)
            return value
        return self._plain(text, indent)

    def _plain(self, text: str, indent: int) -> Any:  # noqa: ANN401  # any YAML value
        if text.startswith("*"):
            return self.anchors[text[1:]]
        if text:
            return _flow(text)
        deeper = self.at < len(self.lines) and self.lines[self.at][0] > indent
        return self.block(self.lines[self.at][0]) if deeper else None


def _flow(text: str) -> Any:  # noqa: ANN401  # any YAML value
    """A flow mapping, a flow list, or a scalar."""
    if text[0] not in "[{":
        return _scalar(text)
    tokens = TOKEN.findall(text)
    value, rest = _parse(tokens)
    assert not rest, text
    return value


def _parse(tokens: list[str]) -> tuple[Any, list[str]]:
    head, rest = tokens[0], tokens[1:]
    if head not in "[{":
        return _scalar(head), rest
    close = "]" if head == "[" else "}"
    found: list[Any] = []
    while rest[0] != close:
        item, rest = _pair(rest) if head == "{" else _parse(rest)
        found.append(item)
        rest = rest[1:] if rest[0] == "," else rest
    return (found if head == "[" else dict(found)), rest[1:]


def _pair(tokens: list[str]) -> tuple[tuple[str, Any], list[str]]:
    key, colon, value = tokens[0].partition(": ")
    if colon:
        return (key, _scalar(value)), tokens[1:]
    assert key.endswith(":"), key
    parsed, rest = _parse(tokens[1:])
    return (key.rstrip(":"), parsed), rest


def _scalar(text: str) -> str:
    text = text.strip()
    return text[1:-1].replace('\\"', '"') if text.startswith('"') else text


def read(text: str) -> dict[str, Any]:
    """A whole document."""
    lines = [line.split("  #")[0].rstrip() for line in text.splitlines()]
    kept = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    reader = _Reader([(len(line) - len(line.lstrip()), line.strip()) for line in kept])
    document: dict[str, Any] = reader.block(0)
    assert reader.at == len(reader.lines), "not all of the document could be read"
    return document
