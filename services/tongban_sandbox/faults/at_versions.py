"""Two versions side by side: this one and that of an earlier commit, rolled back and forward under load."""

from __future__ import annotations

import asyncio
import io
import shutil
import tarfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tongban_sandbox.faults.field import Field, StrikeMissedError, Wound
from tongban_sandbox.servers.process import ServerFailedError

if TYPE_CHECKING:
    from tongban_sandbox.faults.programs import Program

HERE = Path(__file__).parents[3]
ROOTS = ("shared", "services", "gateway")
READY_LIMIT_S = 30.0
NOW: Mapping[str, str] = {"PYTHONPATH": ""}


async def roll(field: Field) -> Wound:
    """Every program goes back to the earlier version and forward again, half of the country at a time."""
    earlier = await _lay_out(field.earlier, field.country.folder / "earlier")
    now = await field.about()
    programs = list(field.country.programs.values())
    halves = (programs[::2], programs[1::2])
    for half in halves:
        await _swap(half, earlier)
        await asyncio.sleep(field.hold_s / 4)
    told = _differences(field.earlier, await field.about(), now)
    for half in halves:
        await _swap(half, NOW)
        await asyncio.sleep(field.hold_s / 4)
    return Wound(healed_s=time.monotonic(), told=told)


def _differences(name: str, before: Mapping[str, str], now: Mapping[str, str]) -> Sequence[str]:
    """What the two say of themselves in other words: schema, and messages with their versions."""
    said = [
        f"{part}: {name} has {before.get(part, 'none')}, this version has {text}"
        for part, text in now.items()
        if before.get(part) != text
    ]
    return said or [f"{name} has the same schema and the same messages as this version"]


async def _swap(programs: Sequence[Program], environment: Mapping[str, str]) -> None:
    """Stop in good order and start anew, one after another. Raises StrikeMissedError."""
    for program in programs:
        program.change(environment)
        await program.stop()
        program.start()
        try:
            await program.again_ready(READY_LIMIT_S)
        except ServerFailedError as error:
            raise StrikeMissedError(f"{program.name} of another version does not start: {error}") from error


async def _lay_out(version: str, folder: Path) -> Mapping[str, str]:
    """Write a version's files out; returns the environment that runs them. Raises StrikeMissedError."""
    git = shutil.which("git")
    if git is None or not (HERE / ".git").exists():
        raise StrikeMissedError("the earlier version comes from git, and this is no checkout")
    process = await asyncio.create_subprocess_exec(
        git,
        "-C",
        str(HERE),
        "archive",
        version,
        *ROOTS,
        "deploy",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    archive, words = await process.communicate()
    if process.returncode != 0:
        raise StrikeMissedError(f"git has no {version}: {words.decode('utf-8', 'replace').strip()}")
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    return {"PYTHONPATH": ":".join(str(folder / root) for root in ROOTS)}
