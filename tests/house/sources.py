"""The project's files as the house tests read them."""

from __future__ import annotations

import ast
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE_ROOTS = ("shared", "services", "gateway")
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def files() -> tuple[Path, ...]:
    """Every file that is in the repository or is about to be: tracked, or new and not ignored."""
    listed = subprocess.run(
        [shutil.which("git") or "git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    return tuple(sorted({ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()}))


def below(*folders: str, ending: str = ".py") -> Iterator[Path]:
    """Files of these folders of the root."""
    for path in files():
        if path.relative_to(ROOT).parts[0] in folders and path.name.endswith(ending):
            yield path


def code() -> Iterator[Path]:
    """Python of the three source roots."""
    return below(*SOURCE_ROOTS)


def python() -> Iterator[Path]:
    """Python of the three source roots and of the tests."""
    return below(*SOURCE_ROOTS, "tests")


def markdown() -> Iterator[Path]:
    """All pages."""
    return (path for path in files() if path.suffix == ".md")


@cache
def tree(path: Path) -> ast.Module:
    """A file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), path.name)


def name(path: Path) -> str:
    """A file as people write it."""
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> Iterator[Function]:
    """All functions of a file, methods and inner ones too."""
    return (node for node in ast.walk(tree(path)) if isinstance(node, Function))


def at(path: Path, node: ast.AST) -> str:
    """File and line of a node."""
    return f"{name(path)}:{getattr(node, 'lineno', 0)}"


def called(node: ast.Call) -> str:
    """The dotted name of what is called; empty where it has none."""
    return ast.unparse(node.func) if isinstance(node.func, ast.Name | ast.Attribute) else ""


def calls(path: Path) -> Iterator[ast.Call]:
    """All calls of a file."""
    return (node for node in ast.walk(tree(path)) if isinstance(node, ast.Call))
