"""No file tells where it was made: no package index, no folder of a machine, no word on the tools used."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest

from tests.house import sources

# Written in parts, so that this file does not hold what it looks for.
HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("python" + "hosted", "org"),
        ("npm" + "js", "org"),
        ("npm" + "js", "com"),
        ("maven", "org"),
        ("maven", "apache", "org"),
        ("crates", "io"),
        ("debian", "org"),
        ("golang", "org"),
        ("maven" + "central", "com"),
    )
]
WORDS = [
    "".join(parts)
    for parts in (
        ("clau", "de"),
        ("anth", "ropic"),
        ("chat", "gpt"),
        ("copi", "lot"),
        ("open", "ai"),
        ("language ", "model"),
        ("coding ", "agent"),
        ("ai assis", "tant"),
        ("ai-gene", "rated"),
        ("previous ses", "sion"),
        ("this ses", "sion"),
    )
]
HOMES = [
    "".join(parts)
    for parts in (
        ("/ho", r"me/\w"),
        ("/Us", r"ers/\w"),
        (r"(?<![\w.$}])/ro", r"ot/\w"),
        (r"[A-Z]:\\\\?Us", "ers"),
    )
]
# Vendored whole, with its own licence; its text is not ours.
VENDORED = re.compile(r"/web/static/swagger-ui")


def _texts() -> Iterable[tuple[str, str]]:
    for path in sources.files():
        if not VENDORED.search(sources.name(path)):
            yield sources.name(path), path.read_text(encoding="utf-8", errors="replace")


def _found(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]}"
        for name, text in _texts()
        for match in pattern.finditer(text)
    ]


@pytest.mark.parametrize("host", HOSTS)
def test_no_file_names_a_package_index(host: str) -> None:
    """Which index packages come from is a setting of each machine."""
    found = _found(re.compile(rf"\b{re.escape(host)}\b"))
    assert not found, "\n".join(found)


def test_no_file_names_a_folder_of_a_machine() -> None:
    """The repository works in any folder; neither its own place nor anybody's home stands in it."""
    root = sources.ROOT
    places = [re.escape(str(root)) + r"(?![\w-])"]
    if len(root.parts) > 2 and root.parent.name not in {"tmp", "var"}:  # more than / and one name
        places.append(re.escape(f"{root.parent}/"))
    found = _found(re.compile("|".join((*places, *HOMES))))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("word", WORDS)
def test_no_file_speaks_of_the_tools_it_was_written_with(word: str) -> None:
    """A file is about the project."""
    found = _found(re.compile(rf"\b{word}\b", re.IGNORECASE))
    assert not found, "\n".join(found)
