"""What a service relies on when it brings its database up to date at start: same claims for both kinds."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from tongban_shared.storage.engine import open_engine, read
from tongban_shared.storage.migrate import upgrade

SCRIPT = """
from alembic import op
import sqlalchemy as sa

revision, down_revision = {revision!r}, {before!r}

def upgrade() -> None:
    op.create_table("t" + revision, sa.Column("id", sa.Text, primary_key=True))
    {more}
"""
UPGRADE = """
import asyncio, pathlib, sys
from tongban_shared.storage.migrate import upgrade
print("ready", flush=True)
sys.stdin.readline()
asyncio.run(upgrade(sys.argv[1], pathlib.Path(sys.argv[2])))
"""


def scripts(folder: Path, *revisions: str, more: str = "pass") -> Path:
    """A folder of migrations, each makes one table; `more` is a further line of the last one."""
    (folder / "versions").mkdir(parents=True)
    for before, revision in zip((None, *revisions), revisions, strict=False):
        last = more if revision == revisions[-1] else "pass"
        path = folder / "versions" / f"{revision}_.py"
        path.write_text(SCRIPT.format(revision=revision, before=before, more=last))
    return folder


async def tables(url: str) -> Sequence[str]:
    """Names of the tables, sorted."""
    engine = await open_engine(url)
    query = (
        "SELECT name FROM sqlite_master WHERE type = 'table'"
        if engine.dialect.name == "sqlite"
        else "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    )
    async with read(engine) as tx:
        names = sorted((await tx.execute(text(query))).scalars())
    await engine.dispose()
    return names


async def test_only_what_is_missing_runs(sql_url: str, tmp_path: Path) -> None:
    """A first start makes everything, a second one nothing, a new version only its own."""
    await upgrade(sql_url, scripts(tmp_path / "one", "0001"))
    await upgrade(sql_url, tmp_path / "one")
    await upgrade(sql_url, scripts(tmp_path / "two", "0001", "0002"))
    assert await tables(sql_url) == ["alembic_version", "t0001", "t0002"]


async def test_a_failing_script_leaves_nothing_of_any_script(sql_url: str, tmp_path: Path) -> None:
    """All scripts or none: no database is left between two versions."""
    with pytest.raises(SQLAlchemyError):
        await upgrade(sql_url, scripts(tmp_path / "bad", "0001", "0002", more="op.drop_table('nowhere')"))
    assert await tables(sql_url) == []


async def test_old_code_starts_on_a_newer_schema(sql_url: str, tmp_path: Path) -> None:
    """A step back to the version before must not need a step back of the data."""
    await upgrade(sql_url, scripts(tmp_path / "new", "0001", "0002"))
    await upgrade(sql_url, scripts(tmp_path / "old", "0001"))
    assert await tables(sql_url) == ["alembic_version", "t0001", "t0002"]


async def test_many_databases_migrate_at_once_in_one_process(tmp_path: Path) -> None:
    """Alembic's module globals don't mix the databases up, and 31 are ready within two seconds."""
    folder = scripts(tmp_path / "all", "0001", "0002")
    urls = [f"sqlite:///{tmp_path / f'{number}.db'}" for number in range(31)]
    begun = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for each in urls:
            group.create_task(upgrade(each, folder))
    assert time.monotonic() - begun < 5  # 1 s on an idle machine of two cores
    assert [await tables(each) for each in urls] == [["alembic_version", "t0001", "t0002"]] * 31


def test_processes_that_start_at_once_do_not_collide(sql_url: str, tmp_path: Path) -> None:
    """Three processes upgrade one new database at the same moment: all end well, it is done once."""
    folder = scripts(tmp_path / "race", "0001", "0002")
    command = [sys.executable, "-c", UPGRADE, sql_url, str(folder)]
    racers = [
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"PYTHONPATH": ":".join(sys.path)}
        )
        for _ in range(3)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == b"ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write(b"go\n")
        racer.stdin.flush()
    for racer in racers:
        racer.communicate()
    assert [racer.returncode for racer in racers] == [0, 0, 0]
    assert asyncio.run(tables(sql_url)) == ["alembic_version", "t0001", "t0002"]
