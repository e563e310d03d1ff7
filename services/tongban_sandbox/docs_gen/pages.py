"""Which documents there are, and whether those on disk are what the code would write now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from tongban_sandbox.docs_gen.asyncapi import asyncapi_text
from tongban_sandbox.docs_gen.cases import (
    CERTIFICATE_PAGE,
    CONSULTATION_PAGE,
    ID_CARD_PAGE,
    MIGRATION_PAGE,
    NEWBORN_PAGE,
    REGISTER_CHANGE_PAGE,
    TEMPORARY_ID_PAGE,
    case_page,
)
from tongban_sandbox.docs_gen.items import items_page
from tongban_sandbox.docs_gen.messages import messages_page
from tongban_sandbox.docs_gen.openapi import openapi_text
from tongban_sandbox.docs_gen.problems import problems_page
from tongban_sandbox.docs_gen.schemas import schema_files
from tongban_sandbox.docs_gen.settings import settings_page

PAGES: Mapping[str, Callable[[], str]] = {
    "cases/migration.md": partial(case_page, MIGRATION_PAGE),
    "cases/certificate.md": partial(case_page, CERTIFICATE_PAGE),
    "cases/id_card.md": partial(case_page, ID_CARD_PAGE),
    "cases/temporary_id.md": partial(case_page, TEMPORARY_ID_PAGE),
    "cases/register_change.md": partial(case_page, REGISTER_CHANGE_PAGE),
    "cases/newborn.md": partial(case_page, NEWBORN_PAGE),
    "cases/consultation.md": partial(case_page, CONSULTATION_PAGE),
    "messages.md": messages_page,
    "items.md": items_page,
    "problems.md": problems_page,
    "settings.md": settings_page,
    "asyncapi.json": asyncapi_text,
    "openapi.json": openapi_text,
}
# Folders in which nothing is written by hand: what is there and not generated is left over.
GENERATED_FOLDERS = ("cases", "schemas")


def documents() -> dict[str, str]:
    """Every generated document: path below docs/, text."""
    texts = {path: make() for path, make in PAGES.items()}
    return texts | {f"schemas/{name}": text for name, text in schema_files().items()}


def write(folder: Path) -> list[str]:
    """Bring the folder up to date; returns the paths that changed."""
    texts = documents()
    changed = stale(folder, texts)
    for path in changed:
        file = folder / path
        if path in texts:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(texts[path], encoding="utf-8")
        else:
            file.unlink()
    return changed


def stale(folder: Path, texts: Mapping[str, str]) -> list[str]:
    """Paths that are missing, differ, or were generated once and are no more."""
    differing = [path for path, text in texts.items() if _read(folder / path) != text]
    present = [file for name in GENERATED_FOLDERS for file in (folder / name).glob("*")]
    left_over = {file.relative_to(folder).as_posix() for file in present if file.is_file()} - texts.keys()
    return sorted([*differing, *left_over])


def _read(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return None
