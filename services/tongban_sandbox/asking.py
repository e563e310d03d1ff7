"""`tongban status` and `tongban case`: questions to a sandbox that runs, found by its announcement."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from tongban_sandbox.api import OverHttp
from tongban_sandbox.report import duration
from tongban_sandbox.state import announcement_file
from tongban_sandbox.timeline import case_lines
from tongban_shared.errors import SettingsError, UnavailableError


class RefusedAnswerError(SettingsError):
    """The sandbox answers with a problem."""


class NotRunningError(SettingsError):
    """No sandbox answers for this folder."""


def base_url_of(state: Path) -> str:
    """Where the sandbox of this folder answers. Raises NotRunningError."""
    file = announcement_file(state)
    try:
        return str(msgspec.json.decode(file.read_bytes())["base_url"])
    except (OSError, msgspec.DecodeError, KeyError) as error:
        raise NotRunningError(
            f"no sandbox runs on {state} (no {file}); start one with: tongban run"
        ) from error


def show_status(state: Path, console: Console) -> bool:
    """Print figures and homes; tells whether everybody has exactly one home. Raises NotRunningError."""
    found = asyncio.run(_get(state, "/sandbox/v1/status"))
    homes, rows = found["homes"], found["provinces"]
    console.print(f"{base_url_of(state)}  {found['now']}", highlight=False)
    for row in rows:
        age_s = row["oldest_waiting_s"]
        oldest = "" if age_s is None else f", oldest {duration(age_s)}"
        mark = f"  ({row['failure']})" if row["failure"] else "" if row["running"] else "  (down)"
        figures = f"{row['people']:>7} people  {row['open']:>5} open  {row['completed']:>6} completed"
        console.print(
            f"{row['province']} {figures}  {row['refused']:>5} refused  {row['name']}{oldest}{mark}"
        )
    console.print(
        f"exactly one home: {homes['exactly_one']} of {homes['people']}"
        f" ({homes['in_transfer']} in transfer, {homes['lost']} lost, {homes['doubled']} doubled)"
    )
    return bool(homes["good"])


def show_case(state: Path, case_id: str, console: Console) -> None:
    """Print one case as both sides see it. Raises NotRunningError, SettingsError for an unknown case."""
    case, mirror = asyncio.run(_both_sides(state, f"/v1/cases/{case_id}"))
    console.print("\n".join(case_lines(case, mirror)), soft_wrap=True, markup=False)


async def _both_sides(state: Path, path: str) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The case where it was accepted, and its mirror at the origin where there is one."""
    case = await _get(state, path)
    try:
        return case, await _get(state, f"{path}?province={case['origin_province']}")
    except RefusedAnswerError:
        return case, None


async def _get(state: Path, path: str) -> Any:  # noqa: ANN401  # JSON, read by the callers
    url = base_url_of(state)
    api = OverHttp.at(url)
    try:
        reply = await api.call("GET", path)
    except UnavailableError as error:
        raise NotRunningError(f"nothing answers at {url}; start a sandbox with: tongban run") from error
    finally:
        await api.close()
    if reply.status != HTTPStatus.OK:
        raise RefusedAnswerError(f"{path}: {reply.code}")
    return reply.body
