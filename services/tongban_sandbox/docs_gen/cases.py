"""A case type as a page: its table as written, a state diagrams for each side, what its columns mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby

from tongban_sandbox.docs_gen.text import code, page, prose, table
from tongban_shared.cases import (
    certificate,
    consultation,
    id_card,
    migration,
    newborn,
    register_change,
    temporary_id,
)
from tongban_shared.cases.kind import NEW, OK, CaseKind, Side, Step

DAYS_FROM = timedelta(days=7)
BOX, COMPLETED = "ASKING", "COMPLETED"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
HEAD = ("in state", "on", "verdict", "writes", "sends", "goes to", "waits for", "limit", "source")

INTRODUCTION = """Read a line as: on this side, in this state, when this comes and the rules say this
verdict, write that to the register, send that, go there; then it is their move, for so long at most.
`limit` as a trigger is a passed limit, which the registry sends to itself. A message for which there is
no line is taken without effect where the two sides' messages may cross (below), waits for its cause, or
is refused."""
VERDICTS = """Limits in code are rules, below; the others are technical and the same everywhere. Sources are
codes of [the rules](../rules.md)."""


@dataclass(frozen=True, slots=True)
class CasePage:
    """What differs from page to page. source: its table's file. asking: states drawn as one box, or ().

    way: heading of the part that leads where people want to go.
    """

    title: str
    source: str
    kind: CaseKind
    steps: Sequence[Step]
    sides: Mapping[Side, str]
    asking: tuple[str, ...] = ()
    way: str = "The way to the document:"


MIGRATION_PAGE = CasePage(
    "Household migration 户口迁移",
    "shared/tongban_shared/cases/migration.py",
    migration.MIGRATION,
    migration.STEPS,
    {Side.DESTINATION: "Destination (迁入地)", Side.ORIGIN: "Origin (迁出地)"},
    migration.ASKING,
    "The way to settlement:",
)
CERTIFICATE_PAGE = CasePage(
    "Household certificates 户籍类证明",
    "shared/tongban_shared/cases/certificate.py",
    certificate.CERTIFICATE,
    certificate.STEPS,
    {Side.DESTINATION: "Accepting province (受理地)", Side.ORIGIN: "Home registry (户籍地)"},
)

HOME_SIDES = {Side.DESTINATION: "Accepting province (受理地)", Side.ORIGIN: "Home registry (户籍地)"}
ID_CARD_PAGE = CasePage(
    "Identity cards 居民身份证",
    "shared/tongban_shared/cases/id_card.py",
    id_card.ID_CARD,
    id_card.STEPS,
    HOME_SIDES,
)
TEMPORARY_ID_PAGE = CasePage(
    "Temporary identity cards 临时居民身份证",
    "shared/tongban_shared/cases/temporary_id.py",
    temporary_id.TEMPORARY_ID,
    temporary_id.STEPS,
    HOME_SIDES,
)

REGISTER_CHANGE_PAGE = CasePage(
    "Changes of the register 登记事项变更",
    "shared/tongban_shared/cases/register_change.py",
    register_change.REGISTER_CHANGE,
    register_change.STEPS,
    HOME_SIDES,
)
NEWBORN_PAGE = CasePage(
    "Newborns 新生儿入户",
    "shared/tongban_shared/cases/newborn.py",
    newborn.NEWBORN,
    newborn.STEPS,
    {
        Side.DESTINATION: "Accepting province (受理地)",
        Side.ORIGIN: "Home registry, and the other parent's (户籍地、另一方户籍地)",
    },
)
CONSULTATION_PAGE = CasePage(
    "Consultations 远程帮办",
    "shared/tongban_shared/cases/consultation.py",
    consultation.CONSULTATION,
    consultation.STEPS,
    {Side.DESTINATION: "Window (受理窗口)", Side.ORIGIN: "Expert's registry (户籍地)"},
    way="The way to advice:",
)


def case_page(about: CasePage) -> str:
    """docs/cases/*.md."""
    kind, steps = about.kind, about.steps
    blocks = [INTRODUCTION, VERDICTS]
    if about.asking:
        blocks.append(f"`{BOX}` in a diagram stands for {', '.join(about.asking)}.")
    for side, title in about.sides.items():
        mine = [step for step in steps if step.side is side]
        forward = hopeful(mine, kind)
        blocks += [f"## {title}", about.way]
        onward = [step for step in mine if step.next in forward]
        blocks += [diagram(onward, "TB", about.asking), "The ways out:"]
        blocks += [diagram([step for step in mine if step.next not in forward], "LR", about.asking)]
        blocks += ["All lines:", table(HEAD, map(step_row, mine))]
    blocks += ["## Limits by rule", _limit_table(kind)]
    blocks += ["## Begins a case", _opening_table(steps)]
    blocks += ["## Overtaken by events", "Taken and receipted, without effect.", _late_table(kind)]
    blocks += ["## What people are shown", _public_table(kind)]
    return page(f"{about.title}: the case table", about.source, blocks)


def step_row(step: Step) -> Sequence[str]:
    """One line of the table."""
    source = f"[{step.source}](../rules.md#{step.source.lower()})"
    return (
        ", ".join(step.states()),
        code(step.message),
        step.verdict,
        step.writes or "",
        code(step.sends),
        step.next,
        step.waits.lower() if step.limit is not None else "",
        limit_words(step.limit),
        source,
    )


def limit_words(limit: timedelta | str | None) -> str:
    """Hours up to a week, days from there; the name of a rule as it is."""
    if limit is None:
        return ""
    if isinstance(limit, str):
        return code(limit)
    if limit < HOUR:
        return f"{limit // MINUTE} min"
    return f"{limit // DAY} days" if limit >= DAYS_FROM else f"{limit // HOUR} h"


def diagram(steps: Iterable[Step], direction: str, asking: tuple[str, ...] = ()) -> str:
    """A Mermaid state diagram: one arrow for each pair of states, labelled with all that leads along it.

    asking: states that a line names together, as `migration.ASKING`, are drawn as one.
    """
    arrows: dict[tuple[str, str], list[str]] = {}
    for step in steps:
        for state in (BOX,) if asking and step.state == asking else step.states():
            arrows.setdefault((state, step.next), []).append(_label(step))
    lines = [f"direction {direction}"]
    lines += [f"{_node(start)} --> {end} : {' · '.join(found)}" for (start, end), found in arrows.items()]
    return "\n".join(("```mermaid", "stateDiagram-v2", *(f"    {line}" for line in lines), "```"))


def hopeful(steps: Sequence[Step], kind: CaseKind) -> set[str]:
    """States from which a case can still end as it should."""
    states = {end for end in kind.terminal if kind.public[end] == COMPLETED}
    while True:
        more = {state for step in steps if step.next in states for state in step.states()} - states
        if not more:
            return states
        states |= more


def _node(state: str) -> str:
    return "[*]" if state == NEW else state


def _label(step: Step) -> str:
    return step.message if step.verdict == OK else f"{step.message} ({step.verdict})"


def _opening_table(steps: Sequence[Step]) -> str:
    rows = [
        (side.lower(), code(message), ", ".join(dict.fromkeys(step.next for step in found)))
        for (side, message), found in groupby(
            sorted((step for step in steps if NEW in step.states()), key=_opening),
            key=_opening,
        )
    ]
    return table(("side", "on", "goes to"), rows)


def _opening(step: Step) -> tuple[str, str]:
    return step.side, step.message


def _limit_table(kind: CaseKind) -> str:
    rows = [(code(name), prose(rule.__doc__)) for name, rule in kind.limits.items()]
    return table(("limit", "until when"), rows)


def _late_table(kind: CaseKind) -> str:
    rows = sorted((side.lower(), state, code(message)) for side, state, message in kind.late)
    return table(("side", "in state", "message"), rows)


def _public_table(kind: CaseKind) -> str:
    return table(("state", "public state", "end"), _public_rows(kind))


def _public_rows(kind: CaseKind) -> Iterator[Sequence[str]]:
    for state, shown in kind.public.items():
        yield state, shown, "the case ends" if state in kind.terminal else ""
