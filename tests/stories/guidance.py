"""What a window and an expert do in a consultation (远程帮办)."""

from __future__ import annotations

from typing import Any

from tests.stories.folk import Resident
from tests.stories.windows import ask_for, report
from tests.stories.world import Country

A, B = "32", "33"
CERTIFICATE, CONSULTATION = "0204", "0701"
QUESTION, ADVICE = "户口簿地址与档案不一致，能否受理？", "可凭旧户口簿受理，请核对首页。"
EXPERT = "expert-1"


async def under_way(country: Country, person: Resident, at: str = B) -> str:
    """A certificate that an officer of the home registry has to look for: the window waits."""
    case = await ask_for(country, CERTIFICATE, person, at, grade="B")
    await country.until(person.province, case, "CHECKING")
    return case


def asking(country: Country, about: str, person: Resident, at: str = B, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """The body of a window's question. more: details, or other fields of an application."""
    body = {
        "item": CONSULTATION,
        "accepting_org": country.sites[at].live.office.org,
        "officer": "window-1",
        "applicant": person.identity,
        "details": {"about": about, "question": QUESTION, **more.pop("details", {})},
    }
    return body | more


async def consult(country: Country, about: str, person: Resident, at: str = B) -> str:
    """Ask; the session's number."""
    body = asking(country, about, person, at)
    answer = await country.ask(at, "/v1/cases", body, Idempotency_Key=f"ask-{about}")
    assert answer.status_code == 202, answer.text
    return str(answer.json()["case_id"])


async def advise(country: Country, at: str, session: str, **more: Any) -> int:  # noqa: ANN401
    """The expert answers; the status. more: fields of a decision."""
    body = {"outcome": "approve", "note": ADVICE, "officer": EXPERT, **more}
    return (await country.act(at, session, "decision", body)).status_code


async def words(country: Country, at: str, session: str) -> dict[str, Any]:
    """What an officer reads of the session there."""
    found: dict[str, Any] = (await country.ask(at, f"/v1/cases/{session}/consultation")).json()
    return found


async def read(country: Country, at: str, session: str) -> None:
    """The window has read the advice."""
    assert await report(country, at, session, "advice_read") == 202
    assert country.state(at, session) == "COMPLETED"


def kept(country: Country, code: str) -> str:
    """Everything that a province's database keeps in the open, as one text."""
    tables = country.registers.rows(code, "SELECT name FROM sqlite_master WHERE type = 'table'")
    rows = (country.registers.rows(code, f"SELECT * FROM {name}") for (name,) in tables)  # noqa: S608  # its own names
    return "\n".join(str(tuple(row)) for found in rows for row in found)
