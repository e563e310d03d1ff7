"""Databases for tests: `postgres_url` (one real server a session, a fresh database each time) and `sql_url`.

A test that asks for `sql_url` runs twice: on a SQLite file and on PostgreSQL (marked live).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.loops import run
from tongban_sandbox.servers.postgres import PostgresServer

_numbers = count(1)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """The session's server. A test that stops it starts it again; address and data stay."""
    server = PostgresServer(tmp_path_factory.mktemp("postgres"))
    run(server.start())
    yield server
    run(server.stop())
    server.remove()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """The address of a database that is new and empty."""
    name = f"test_{next(_numbers)}"
    run(postgres_server.create_database(name))
    return postgres_server.dsn(name)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.live)])
def sql_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url
