"""A real PostgreSQL 18 on this machine's loopback, without containers and without an installation."""

from __future__ import annotations

import re
import secrets
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import asyncpg

from tongban_sandbox.servers.homes import (
    Home,
    copy_folder,
    forget,
    home_of,
    replace_data,
    write_password,
)
from tongban_sandbox.servers.process import Launch, ServerProcess, free_port, run_once

READY_LIMIT_S = 60.0
ADMIN = "postgres"
NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
# Durable as in service. The socket is TCP only: a path may be too long for a Unix socket.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "max_connections": "300",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
STOP_SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}


class PostgresServer:
    """One PostgreSQL server; everything of it lies in `directory`, or is linked there (homes.py).

    Start it from the main thread: it dies with the thread that started it. When we are root it runs as the
    system user `nobody`. A random password protects it from other users of the machine. settings: more of
    them, stronger than ours.
    """

    def __init__(self, directory: Path, settings: Mapping[str, str] | None = None) -> None:
        self.directory = directory.absolute()
        self._settings = {**SETTINGS, **(settings or {})}
        self._process: ServerProcess | None = None
        self._port: int | None = None
        self._password = ""

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def log(self) -> Path:
        """Where it says what it does."""
        return self.directory / "postgres.log"

    @property
    def running(self) -> bool:
        """Whether its first process lives."""
        return self._process is not None and self._process.running

    @property
    def pid(self) -> int:
        """The first process's id. Raises RuntimeError before the first start."""
        return self._started().pid

    async def start(self) -> None:
        """Return when it takes connections; make the database cluster on first use. Its port stays the same.

        Raises ServerMissingError, or ServerFailedError with the log's end after 60 s at the latest.
        """
        home = home_of(self.directory)
        if not self._has_cluster(home):
            write_password(home, secrets.token_hex(16))
            await run_once(self._init(home))
        self._password = home.password_file.read_text(encoding="utf-8")
        self._port = self._port or free_port()
        self._process = ServerProcess(self._serve(home))
        await self._process.ready(self._answers, READY_LIMIT_S)

    async def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """End all its processes. fast: write all pages first; immediate: leave that to recovery."""
        if self._process is not None:
            await self._process.end(STOP_SIGNALS[mode])

    async def kill(self) -> None:
        """End it as a crash would (SIGKILL); the next start recovers. Returns when all is gone."""
        await self._started().end(signal.SIGKILL)

    def remove(self) -> None:
        """Delete the data of a stopped server, copies too."""
        forget(self.directory)

    async def backup(self) -> Path:
        """Copy all files of the running server, as operators do every night; returns the copy's folder."""
        home = home_of(self.directory)
        copy = copy_folder(home)
        terms = ["--host=127.0.0.1", f"--port={self._port}", f"--username={ADMIN}", "--no-password"]
        launch = self._launch(
            home, "pg_basebackup", *terms, f"--pgdata={copy}", "--wal-method=fetch", "--checkpoint=fast"
        )
        await run_once(replace(launch, environment={"PGPASSWORD": self._password}))
        return copy

    def put_back(self, copy: Path) -> None:
        """Replace the files of a stopped server by a copy that `backup` made, which is used up by it."""
        replace_data(home_of(self.directory), copy)

    async def create_database(self, name: str) -> None:
        """Make an empty database. Raises asyncpg.DuplicateDatabaseError if there is one of this name."""
        if NAME.fullmatch(name) is None:
            raise ValueError(f"a database name is 1 to 63 of a-z, 0-9 and _, no digit first; not {name!r}")
        connection = await asyncpg.connect(self._url("postgresql", ADMIN))
        try:
            await connection.execute(f'CREATE DATABASE "{name}"')
        finally:
            await connection.close()

    def dsn(self, name: str) -> str:
        """The address of one database for SQLAlchemy, with its password: not for logs."""
        return self._url("postgresql+asyncpg", name)

    def _url(self, scheme: str, name: str) -> str:
        return f"{scheme}://{ADMIN}:{self._password}@127.0.0.1:{self._port}/{name}"

    def _started(self) -> ServerProcess:
        if self._process is None:
            raise RuntimeError("this PostgreSQL was not started yet")
        return self._process

    def _has_cluster(self, home: Home) -> bool:
        return (home.data / "PG_VERSION").exists()

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(self._url("postgresql", ADMIN), timeout=5)
        except (ConnectionError, TimeoutError, asyncpg.CannotConnectNowError):
            return False
        await connection.close()
        return True

    def _init(self, home: Home) -> Launch:
        # The password is random, so many rounds of hashing it would only slow each connection down.
        terms = ["--auth=scram-sha-256", "--set=scram_iterations=1", f"--username={ADMIN}"]
        place = [f"--pgdata={home.data}", "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"]
        # No sync: a crash of the machine within these seconds costs a new start, not data.
        return self._launch(home, "initdb", *terms, *place, "--no-sync", f"--pwfile={home.password_file}")

    def _serve(self, home: Home) -> Launch:
        settings = [f"--{name}={value}" for name, value in self._settings.items()]
        return self._launch(home, "postgres", "-D", str(home.data), "-p", str(self._port), *settings)

    def _launch(self, home: Home, program: str, *arguments: str) -> Launch:
        return Launch(
            name=f"PostgreSQL's {program}",
            command=[str(home.programs / program), *arguments],
            folder=home.data,
            log=self.log,
            stop_signal=signal.SIGINT,
            user=home.user,
        )
