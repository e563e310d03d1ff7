"""How code reads here: sizes, names, errors, promises. Each rule is one test."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.house import sources
from tongban_shared.ids import PROVINCES

BODY_LINES_MAX = 40
FILE_LINES_MAX = 400
LINE_LENGTH_MAX = 110
POSITIONAL_MAX = 4
CASE_TABLES = "shared/tongban_shared/cases/"
# What a tool is told at the end of a line does not count for its length.
PRAGMA = re.compile(r"\s+# (noqa|type: ignore).*$")
# The two doors: what comes in there may be broken in any way, and nothing may stop the rest.
DOORS = {"services/tongban_registry/inbox.py", "shared/tongban_shared/web/guard.py"}


def test_no_function_is_long() -> None:
    """A function's body, without its docstring, has at most 40 lines."""
    long = [
        f"{sources.at(path, function)} {function.name}: {length} lines"
        for path in sources.python()
        for function in sources.functions(path)
        if (length := _body_lines(function)) > BODY_LINES_MAX
    ]
    assert not long, "\n".join(long)


def _body_lines(function: sources.Function) -> int:
    """Lines of the body. An inner function counts for itself, as one line of the outer one."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    if not body:
        return 0
    whole = (body[-1].end_lineno or 0) - body[0].lineno + 1
    inner = [node for node in body if isinstance(node, sources.Function)]
    return whole - sum((node.end_lineno or 0) - _first_line(node) for node in inner)


def _first_line(function: sources.Function) -> int:
    return min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])


def test_no_file_is_long() -> None:
    """A file has at most 400 lines."""
    lengths = {sources.name(path): len(_lines(path)) for path in sources.python()}
    long = {name: length for name, length in lengths.items() if length > FILE_LINES_MAX}
    assert not long, long


def test_no_line_is_long() -> None:
    """A line has at most 110 characters, but in a case table, read like the regulation, or with a URL."""
    long = [
        f"{sources.name(path)}:{number}"
        for path in sources.python()
        if not sources.name(path).startswith(CASE_TABLES)
        for number, line in enumerate(_lines(path), 1)
        if len(PRAGMA.sub("", line)) > LINE_LENGTH_MAX and "://" not in line
    ]
    assert not long, "\n".join(long)


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_few_parameters_are_positional() -> None:
    """More than four things are passed by name."""
    many = [
        f"{sources.at(path, function)} {function.name}: {count}"
        for path in sources.python()
        for function in sources.functions(path)
        if (count := len(_positional(function))) > POSITIONAL_MAX
    ]
    assert not many, "\n".join(many)


def _positional(function: sources.Function) -> list[str]:
    given = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
    return [name for name in given if name not in {"self", "cls"}]


def test_code_names_no_province() -> None:
    """A province is a file in deploy/provinces, never a branch in the code."""
    branches = [
        f"{sources.at(path, node)}: make {code} a setting"
        for path in sources.code()
        for node in ast.walk(sources.tree(path))
        for code in _provinces_compared(node)
    ]
    assert not branches, "\n".join(branches)


def _provinces_compared(node: ast.AST) -> Iterator[str]:
    """Province codes that a comparison or a case pattern names."""
    if isinstance(node, ast.Compare | ast.MatchValue):
        for part in ast.walk(node):
            if isinstance(part, ast.Constant) and part.value in PROVINCES:
                yield str(part.value)


def test_only_the_two_doors_catch_everything() -> None:
    """`except Exception` stands where the outside comes in; elsewhere it hides a fault."""
    catching = [
        sources.at(path, node)
        for path in sources.code()
        if sources.name(path) not in DOORS
        for node in ast.walk(sources.tree(path))
        if isinstance(node, ast.ExceptHandler) and _catches_all(node)
    ]
    assert not catching, "\n".join(catching)


def _catches_all(handler: ast.ExceptHandler) -> bool:
    """Bare, Exception, or BaseException that is not raised again at the end."""
    names = {ast.unparse(part) for part in ast.walk(handler.type)} if handler.type else {"BaseException"}
    if "BaseException" in names:
        last = handler.body[-1]
        return not (isinstance(last, ast.Raise) and last.exc is None)
    return "Exception" in names


def test_every_error_raised_has_a_type_of_its_own() -> None:
    """No `raise Exception`: a caller could catch it only with everything else."""
    bare = [
        sources.at(path, node)
        for path in sources.python()
        for node in ast.walk(sources.tree(path))
        if isinstance(node, ast.Raise)
        and node.exc is not None
        and _raised(node.exc) in {"Exception", "BaseException"}
    ]
    assert not bare, "\n".join(bare)


def _raised(error: ast.expr) -> str:
    return ast.unparse(error.func if isinstance(error, ast.Call) else error)


def test_every_port_makes_a_promise() -> None:
    """Every method of a Protocol has a docstring: shape, unit, order, errors."""
    silent = [
        f"{sources.at(path, method)} {port.name}.{method.name}"
        for path in sources.code()
        for port in ast.walk(sources.tree(path))
        if isinstance(port, ast.ClassDef) and any(_is_protocol(base) for base in port.bases)
        for method in port.body
        if isinstance(method, sources.Function) and not ast.get_docstring(method)
    ]
    assert not silent, "\n".join(silent)


def _is_protocol(base: ast.expr) -> bool:
    """typing.Protocol, plain or of a type variable; not the protocols of asyncio."""
    return ast.unparse(base).partition("[")[0] in {"Protocol", "typing.Protocol"}


def test_no_test_sleeps_for_a_while() -> None:
    """A test waits for what it wants to see, or moves a clock; a guessed pause is too long or too short."""
    sleeping = [
        sources.at(path, call)
        for path in sources.below("tests")
        for call in sources.calls(path)
        if sources.called(call) in {"time.sleep", "asyncio.sleep", "sleep"} and _positive(call)
    ]
    assert not sleeping, "\n".join(sleeping)


def _positive(call: ast.Call) -> bool:
    first = call.args[0] if call.args else None
    return isinstance(first, ast.Constant) and isinstance(first.value, int | float) and first.value > 0
