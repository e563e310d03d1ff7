"""Decisions are functions of what they are given: the same input, the same outcome, on every machine."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.house import sources

PURE = (
    "shared/tongban_shared/documents/",
    "shared/tongban_shared/cases/",
    "shared/tongban_shared/custody.py",
    "shared/tongban_shared/decide.py",
    "shared/tongban_shared/tree.py",
    "services/tongban_registry/register.py",
    "gateway/tongban_gateway/routing.py",
)
# Modules through which the world comes in: time, chance, input and output, logs.
WORLD = {
    *("asyncio", "io", "logging", "os", "pathlib", "random", "secrets", "socket", "structlog", "subprocess"),
    *("sys", "tempfile", "threading", "time", "uuid", "httpx", "sqlalchemy", "aiokafka"),
}
CLOCKS = {"now", "utcnow", "today", "monotonic", "perf_counter"}


def _pure() -> Iterator[Path]:
    return (path for path in sources.code() if sources.name(path).startswith(PURE))


def test_decisions_know_no_clock_and_no_chance() -> None:
    """Nothing is imported through which the world comes in, and no clock of a class is asked."""
    impure = [
        f"{sources.at(path, node)}: {what}"
        for path in _pure()
        for node in ast.walk(sources.tree(path))
        for what in (*_imported(node), *_clock_asked(node))
    ]
    assert not impure, "\n".join(impure)


def _imported(node: ast.AST) -> Iterator[str]:
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
    yield from (name for name in names if name.partition(".")[0] in WORLD)


def _clock_asked(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS:
        yield sources.called(node)


def test_decisions_do_not_wait() -> None:
    """A pure function has nothing to wait for."""
    waiting = [
        sources.at(path, node)
        for path in _pure()
        for node in ast.walk(sources.tree(path))
        if isinstance(node, ast.AsyncFunctionDef | ast.Await)
    ]
    assert not waiting, "\n".join(waiting)
