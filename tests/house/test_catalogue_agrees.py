"""What is written in two places agrees: catalogue, cases, messages, topics, provinces, rules, codes."""

from __future__ import annotations

import ast
import csv
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.house import sources
from tongban_registry.register import VERBS
from tongban_shared import ids
from tongban_shared.cases import migration
from tongban_shared.cases.kind import LIMIT, CaseKind, Step
from tongban_shared.cases.kinds import KINDS
from tongban_shared.catalogue import load_catalogue
from tongban_shared.errors import TongbanError, WireError
from tongban_shared.messages.codec import CONTRACTS
from tongban_shared.ports import Family
from tongban_shared.provinces import load_provinces
from tongban_shared.transports.topics import load_topics
from tongban_shared.web.problems import PROBLEMS

RULES = (sources.ROOT / "docs/rules.md").read_text(encoding="utf-8")
ANCHOR = re.compile(r'<a id="([\w-]+)"></a>([\w-]+)')
CODE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+|[A-Z]{4,}")
LEDGER = "ledger."
# What happens without a message from the other side: at the door, at the ledger, by the clock.
DOOR = {"apply", "decision", "materials", "withdraw", "block"}
BIRTHS = {"claimed", "numbered", "entered", "released"}
COMMANDS = DOOR | BIRTHS | {"located", "appended", "recovered", "named", LIMIT}
# Calls and fields whose text is a code of the published catalogue; the number tells which argument it is.
PUBLISHING = {"RefusedError": 0, "problem": 0, "Verdict": 1}


def _steps(kind: CaseKind) -> Iterable[Step]:
    return kind.steps.values()


def _codes_in_rules() -> set[str]:
    return {code for _, code in ANCHOR.findall(RULES)}


def test_every_case_type_of_the_catalogue_can_be_handled() -> None:
    """An item leads to a case type that the registry knows, and each case type has an item."""
    assert {item.case_type for item in load_catalogue().items()} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_a_case_table_speaks_its_contracts(kind: CaseKind) -> None:
    """What a table sends is a contract, each contract is sent by a line, and taken by one."""
    sent = {step.sends for step in _steps(kind) if step.sends and not step.sends.startswith(LEDGER)}
    prefix = f"{kind.name}."
    contracts = {body.name.removeprefix(prefix) for body in CONTRACTS if body.name.startswith(prefix)}
    taken = {step.message for step in _steps(kind)} - COMMANDS - (kind.reports - contracts)
    assert sent == contracts == taken


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_a_case_table_names_only_what_there_is(kind: CaseKind) -> None:
    """Verbs are the register's, public states cover every state, composed messages are those sent."""
    assert {step.writes for step in _steps(kind) if step.writes} <= set(VERBS)
    assert {step.next for step in _steps(kind)} == set(kind.public)
    assert {step.sends for step in _steps(kind) if step.sends} == set(kind.composes)
    assert kind.judges.keys() | kind.amends.keys() <= {step.message for step in _steps(kind)}


def test_every_verb_of_the_register_is_some_table_s() -> None:
    """None is left over."""
    assert {step.writes for kind in KINDS.values() for step in _steps(kind) if step.writes} == set(VERBS)


def test_every_contract_travels_on_a_topic_of_its_family() -> None:
    """Each family has a topic, and a case type's messages travel in one family; the others belong to all."""
    families: dict[str, set[Family]] = {}
    for body in CONTRACTS:
        families.setdefault(body.name.partition(".")[0], set()).add(body.family)
    assert {family for used in families.values() for family in used} == set(load_topics().families)
    assert {len(used) for used in families.values()} == {1}
    assert {name for name, used in families.items() if used != {Family.COMMON}} == set(KINDS)


def test_no_two_contracts_share_a_name_and_version() -> None:
    """A version is one shape for ever."""
    spoken = [(body.name, str(body.model_fields["v"].annotation)) for body in CONTRACTS]
    assert len(set(spoken)) == len(spoken)


def test_the_provinces_are_the_same_everywhere() -> None:
    """Codes of GB/T 2260, province files, the gateway's directory and the sandbox's data."""
    gateway = tomllib.loads((sources.ROOT / "deploy/gateway.toml").read_text(encoding="utf-8"))
    data = sources.ROOT / "services/tongban_sandbox/data/provinces.csv"
    with data.open(encoding="utf-8-sig", newline="") as lines:
        rows = [row["code"] for row in csv.DictReader(lines)]
    assert set(load_provinces()) == ids.PROVINCES
    assert set(gateway["registries"]) == ids.PROVINCES
    assert set(rows) == ids.PROVINCES


def test_every_source_is_a_rule() -> None:
    """The last column of a case table names a rule of docs/rules.md."""
    assert {step.source for step in migration.STEPS} <= _codes_in_rules()


def test_every_basis_is_a_rule() -> None:
    """A message names the rule it acts on, and its docstring begins with it."""
    for body in CONTRACTS:
        assert body.basis in _codes_in_rules(), body.name
        assert (body.__doc__ or "").startswith(f"{body.basis} · "), body.name


def test_every_anchor_of_the_rules_is_its_code() -> None:
    """Links from generated pages find the rule."""
    assert ANCHOR.findall(RULES)
    assert [code for anchor, code in ANCHOR.findall(RULES) if anchor != code.lower()] == []


def test_every_code_that_people_meet_is_published() -> None:
    """A refusal, a problem or a verdict uses a code of problems.toml."""
    unknown = [
        f"{sources.at(path, node)}: {code}"
        for path in sources.code()
        for node, code in _published_codes(path)
        if code not in PROBLEMS
    ]
    assert not unknown, "\n".join(unknown)


def _published_codes(path: Path) -> Iterator[tuple[ast.AST, str]]:
    """Codes written out in calls that publish one, and in `code=` of any call."""
    for call in sources.calls(path):
        index = PUBLISHING.get(sources.called(call))
        given = call.args[index : index + 1] if index is not None else []
        named = [
            keyword.value
            for keyword in call.keywords
            if keyword.arg == "code" and sources.called(call) in {"Reply", *PUBLISHING}
        ]
        for argument in (*given, *named):
            for part in ast.walk(argument):
                if (
                    isinstance(part, ast.Constant)
                    and isinstance(part.value, str)
                    and CODE.fullmatch(part.value)
                ):
                    yield call, part.value


def test_every_error_that_people_meet_is_published() -> None:
    """An error that becomes an answer has its code in problems.toml."""
    met = [kind for kind in _errors(TongbanError) if kind.http_status < 500 or kind.retryable]
    unknown = [
        f"{kind.__name__}: {kind.code}" for kind in met if kind.code not in PROBLEMS and kind is not WireError
    ]
    assert not unknown, "\n".join(unknown)


def _errors(base: type[TongbanError]) -> Iterator[type[TongbanError]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _errors(kind)


def test_every_reason_of_the_wire_is_listed() -> None:
    """What stands in quarantine is explained where the error is: in its docstring."""
    listed = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", WireError.__doc__ or ""))
    used = {
        part.value
        for path in sources.code()
        for call in sources.calls(path)
        if sources.called(call) == "WireError" and call.args
        for part in ast.walk(call.args[0])
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    }
    assert used - listed == set()
