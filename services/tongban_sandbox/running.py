"""`tongban run`: the country, its gateway, its traffic and its sandbox routes in one process on one port."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import msgspec
from rich.console import Console
from rich.progress import Progress

from tongban_sandbox.live_table import watch
from tongban_sandbox.plays import Mix
from tongban_sandbox.routes import SandboxApp
from tongban_sandbox.state import Plan, StateFolder, announcement_file, write_json
from tongban_sandbox.together import until_one_ends
from tongban_sandbox.traffic import Traffic
from tongban_sandbox.world import World
from tongban_shared.errors import SettingsError
from tongban_shared.tuning import loop_factory, tune_collector
from tongban_shared.web.logs import configure_logs
from tongban_shared.web.serve import PatientServer, server

HOST = "127.0.0.1"
USUAL_PORT = 8_080
BACKLOG = 2_048
POLL_S = 0.01
STOP_S = 3
FIRST_PROVINCE = "33"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What `tongban run` was told. port: None takes 8080, or a free one where that is taken."""

    state: Path
    plan: Plan
    port: int | None = None
    rate_per_s: float = 1.0


class Announcement(msgspec.Struct, frozen=True):
    """What stands in var/sandbox.json while one runs. credentials: empty, there is no access control yet."""

    base_url: str
    console_url: str
    credentials: tuple[dict[str, str], ...] = ()
    pid: int = 0


class _SandboxServer(PatientServer):
    """Ends on the first SIGINT or SIGTERM, and does not raise it again: the country is closed after it."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        del frame
        self._health.stopping = True
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True


def run(options: RunOptions, console: Console) -> None:
    """Run until told to stop. Raises SettingsError, StateInUseError."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_run(options, console))


async def _run(options: RunOptions, console: Console) -> None:
    began = time.monotonic()
    state = StateFolder(options.state, options.plan)
    # Not to the terminal, where the table is.
    configure_logs("sandbox", "INFO", state.open_log())
    with closing(_listen(options.port)) as listener:
        if not state.is_new and state.manifest.plan != options.plan:
            kept = state.manifest.plan
            console.print(f"this country was begun at 1:{kept.scale} with seed {kept.seed}, and stays so")
        async with World(state) as world:
            await _populate(world, console)
            await world.start()
            tune_collector()
            await _serve(world, listener, options, (console, began))
    console.print("stopped; tongban run goes on from here")


def _listen(port: int | None) -> socket.socket:
    """A listening socket on loopback. Raises SettingsError if the port that was asked for is taken."""
    for wanted in (USUAL_PORT, 0) if port is None else (port,):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, wanted))
        except OSError:
            listener.close()
            continue
        listener.listen(BACKLOG)
        return listener
    raise SettingsError(f"port {port} on {HOST} is taken; choose another, or leave --port out")


async def _populate(world: World, console: Console) -> None:
    """Seed with a bar of progress; nothing is shown where everybody is there already."""
    if len(world.state.manifest.seeded) == len(world.profiles):
        return
    if not console.is_terminal:
        console.print(f"registering {world.people} synthetic people", highlight=False)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("first registrations", total=world.people)
        await world.seed(lambda entered: bar.advance(task, entered))


async def _serve(
    world: World, listener: socket.socket, options: RunOptions, around: tuple[Console, float]
) -> None:
    console, began = around
    traffic = Traffic(world, options.rate_per_s, world.state.manifest.plan.seed)
    host, port = listener.getsockname()
    base_url = f"http://{host}:{port}"
    plain = server(SandboxApp(world, traffic), world.gateway.health, host=host, port=port)
    # Whoever waits for the end of a case (Prefer: wait) is not waited for.
    plain.config.timeout_graceful_shutdown = STOP_S
    running = _SandboxServer(plain.config, world.gateway.health)
    file = announcement_file(options.state)

    async def show() -> None:
        while not running.started:  # noqa: ASYNC110  # the server has no event for it
            await asyncio.sleep(POLL_S)
        write_json(file, Announcement(base_url, f"{base_url}/docs", pid=os.getpid()))
        if options.port is None and port != USUAL_PORT:
            console.print(f"port {USUAL_PORT} is taken, so it is {port} this time")
        _greet(console, world, base_url, time.monotonic() - began)
        await watch(world, traffic, console, f"通办 tongban · {base_url}")

    try:
        await until_one_ends([running.serve(sockets=[listener]), traffic.run(), show()])
    finally:
        file.unlink(missing_ok=True)


def _greet(console: Console, world: World, base_url: str, took_s: float) -> None:
    size = f"{len(world.profiles)} provinces, {world.people} synthetic people"
    rate = f"1 case/s is {1 / Mix().national_per_s:.1f} times the real country"
    people = f"{base_url}/sandbox/v1/people?province={FIRST_PROVINCE}"
    rows = [
        f"通办 tongban: {size}, ready in {took_s:.1f} s",
        f"  gateway   {base_url}    how to call it: {base_url}/docs",
        f"  traffic   {rate}; change it with PUT {base_url}/sandbox/v1/traffic",
        f"  people    curl -s '{people}&limit=3'",
        "  a case    tongban case CASE_ID    all of it: tongban status    stop: Ctrl-C, the state stays",
    ]
    console.print("\n".join(rows), soft_wrap=True, highlight=False, markup=False)
