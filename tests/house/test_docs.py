"""Pages say what is: generated ones are current, links lead somewhere, what they name exists."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.house import sources
from tongban_sandbox import cli
from tongban_sandbox.docs_gen.asyncapi import asyncapi_document
from tongban_sandbox.docs_gen.pages import documents, stale, write
from tongban_shared.messages.codec import CONTRACTS
from tongban_shared.ports import Family

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
TEST = re.compile(r"(tests/[\w/]+\.py)(?:::(\w+))?")
MAKE = re.compile(r"(?:^|`)make ([a-z][a-z-]*)\b", re.MULTILINE)
TONGBAN = re.compile(r"`tongban ([a-z]+)")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
PAGES = [sources.name(path) for path in sources.markdown()]


def test_every_generated_document_is_current() -> None:
    """What `tongban docs` would write is what is there."""
    old = stale(sources.ROOT / "docs", documents())
    assert not old, f"run `make docs` and commit what it changes: {', '.join(old)}"


def test_a_stale_document_is_named_and_renewed(tmp_path: Path) -> None:
    """Missing, changed and left-over documents are found; writing puts all of it right, once."""
    assert set(write(tmp_path)) == set(documents())
    (tmp_path / "items.md").write_text("old", encoding="utf-8")
    (tmp_path / "problems.md").unlink()
    (tmp_path / "schemas/gone.v1.json").write_text("{}", encoding="utf-8")
    assert stale(tmp_path, documents()) == ["items.md", "problems.md", "schemas/gone.v1.json"]
    write(tmp_path)
    assert write(tmp_path) == []


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    """A link within the repository names a file and, behind #, a place in it."""
    here = sources.ROOT / page
    text = FENCE.sub("", here.read_text(encoding="utf-8"))
    broken = [link for link in LINK.findall(text) if "://" not in link and not _leads(here, link)]
    assert broken == []


def _leads(here: Path, link: str) -> bool:
    name, _, place = link.partition("#")
    target = (here.parent / name).resolve() if name else here
    return target.exists() and (not place or place in _places(target))


def _places(page: Path) -> set[str]:
    """Anchors of a page: those written out, and those of its headings as forges make them."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
        for heading in HEADING.findall(text)
    }
    return headings | set(re.findall(r'<a id="([^"]+)">', text))


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_a_page_names_exists(page: str) -> None:
    """An invariant is held by a test that there is."""
    text = (sources.ROOT / page).read_text(encoding="utf-8")
    missing = [f"{file}::{name}" for file, name in TEST.findall(text) if not _is_there(file, name)]
    assert missing == []


def _is_there(file: str, name: str) -> bool:
    path = sources.ROOT / file
    if not path.is_file():
        return False
    return not name or name in {function.name for function in sources.functions(path)}


def test_every_invariant_names_a_test() -> None:
    """Each line of the table of invariants ends with the test that holds it."""
    text = (sources.ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    table = text.partition("## Invariants")[2].partition("## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(lines) >= 9  # C1 to C5 and I1 to I4
    assert [line for line in lines if not TEST.search(line)] == []


def test_the_architecture_is_short() -> None:
    """Somebody reads it."""
    assert len((sources.ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_a_page_names_exists(page: str) -> None:
    """`make …` is a target, `tongban …` a command."""
    text = (sources.ROOT / page).read_text(encoding="utf-8")
    targets = set(
        re.findall(r"^([a-z-]+):", (sources.ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    main: Any = typer.main.get_command(cli.app)
    assert set(MAKE.findall(text)) - targets == set()
    assert set(TONGBAN.findall(text)) - set(main.commands) == set()


def test_every_module_that_the_architecture_names_exists() -> None:
    """Paths in its text are files or folders of the repository."""
    text = (sources.ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:shared|services|gateway|deploy)/[\w./]+)`", text)
    assert named
    assert [path for path in named if not (sources.ROOT / path).exists()] == []


def test_the_asyncapi_document_is_whole() -> None:
    """What AsyncAPI 3.0 wants is there, every reference resolves, every contract stands in a channel."""
    document = asyncapi_document()
    assert document["asyncapi"] == "3.0.0"
    assert document["info"].keys() >= {"title", "version"}
    assert set(document["channels"]) == {family.value for family in Family}
    assert [reference for reference in _references(document) if _resolve(document, reference) is None] == []
    for operation in document["operations"].values():
        assert operation["action"] in {"send", "receive"}
        messages = _resolve(document, operation["channel"]["$ref"])["messages"]
        assert {reference["$ref"].rpartition("/")[2] for reference in operation["messages"]} <= set(messages)
    for body in CONTRACTS:
        assert body.name in document["channels"][body.family.value]["messages"]
    for channel in document["channels"].values():
        assert set(re.findall(r"{(\w+)}", channel["address"])) == set(channel["parameters"])


def test_the_openapi_document_is_whole() -> None:
    """Every reference of the generated document resolves, and no operation has another one's id."""
    document = json.loads((sources.ROOT / "docs/openapi.json").read_text(encoding="utf-8"))
    assert [reference for reference in _references(document) if _resolve(document, reference) is None] == []
    ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(set(ids)) == len(ids)


def _references(node: Any) -> Iterator[str]:  # noqa: ANN401  # any JSON value
    if isinstance(node, Mapping):
        reference = node.get("$ref")
        if isinstance(reference, str):
            yield reference
        for part in node.values():
            yield from _references(part)
    elif isinstance(node, list):
        for part in node:
            yield from _references(part)


def _resolve(document: Any, reference: str) -> Any:  # noqa: ANN401  # any JSON value
    for step in reference.removeprefix("#/").split("/"):
        document = document.get(step.replace("~1", "/")) if isinstance(document, Mapping) else None
    return document
