"""What is logged reaches the log: the allow-list drops any other field in silence."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.house.sources import code, name, tree
from tongban_shared.web.logs import ALLOWED

LOGGERS = {"log", "_log"}
LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}


def test_every_field_of_a_log_line_is_on_the_allow_list() -> None:
    """A field that nobody would ever read is a mistake, most often a misspelt one."""
    strangers = [
        f"{name(path)}:{call.lineno} {word.arg}"
        for path in code()
        for call in _log_calls(tree(path))
        for word in call.keywords
        if word.arg not in ALLOWED
    ]
    assert not strangers


def _log_calls(module: ast.Module) -> Iterator[ast.Call]:
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS:
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id in LOGGERS:
                yield node
