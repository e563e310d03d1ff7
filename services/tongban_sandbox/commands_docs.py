"""The command `tongban docs`: write the generated documents, or say which of them are stale."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tongban_sandbox.docs_gen.pages import documents, stale, write


def docs(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="change nothing; fail if a document is stale")
    ] = False,
    folder: Annotated[Path, typer.Option(help="the folder of the documents")] = Path("docs"),
) -> None:
    """Print the generated documents again: case tables, messages, items, problems, settings, contracts."""
    if not folder.is_dir():
        typer.echo(f"tongban docs: no folder {folder} here; run it in the project's root folder", err=True)
        raise typer.Exit(2)
    if check:
        _check(folder)
        return
    changed = write(folder)
    typer.echo("\n".join(f"written: {folder / path}" for path in changed) or "all documents are up to date")


def _check(folder: Path) -> None:
    """Exit with 1 when a document is not what the code would write now."""
    old = stale(folder, documents())
    for path in old:
        typer.echo(f"stale: {folder / path}", err=True)
    if old:
        typer.echo("run `make docs` and commit what it changes", err=True)
        raise typer.Exit(1)
    typer.echo("all generated documents are current")
