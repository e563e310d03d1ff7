"""The program tongban-registry: one province, or several in one process, until it is told to stop.

It starts in any order with database, broker and ledger: what is away is named by /readyz and tried on.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import httpx
import structlog
import typer

from tongban_registry.fence import FileFence
from tongban_registry.hosting import Berth, House, WorkerStoppedError
from tongban_registry.late import LateTransport
from tongban_registry.post import open_post
from tongban_registry.registry import Surrounds
from tongban_registry.settings import Settings, load_settings
from tongban_shared.clock import WallClock
from tongban_shared.errors import SettingsError, TongbanError
from tongban_shared.fault_points import VARIABLE, arm
from tongban_shared.keys import load_secrets, load_signer
from tongban_shared.ledger_client import HttpLedger
from tongban_shared.ports import Fence
from tongban_shared.provinces import ProvinceProfile, load_province
from tongban_shared.transports import open_transport
from tongban_shared.tuning import loop_factory, tune_collector
from tongban_shared.web.logs import configure_logs
from tongban_shared.web.serve import PatientServer, server

LET_GO_S = 1
STOP_S = 20.0
"""For what is under way in halls, relays and pools, after the last request was answered."""

log = structlog.get_logger()
app = typer.Typer(add_completion=False, help=__doc__)


@app.command()
def serve(
    *,
    province: Annotated[list[Path] | None, typer.Option(help="province file; several: /p/CODE/…")] = None,
    database: Annotated[
        str | None, typer.Option(help="sqlite:///FILE or postgresql://…, with {code}")
    ] = None,
    transport: Annotated[str | None, typer.Option(help="kafka://HOST:PORT[,…] or memory:")] = None,
    ledger: Annotated[str | None, typer.Option(help="address of the custody ledger, http://…")] = None,
    keys: Annotated[Path | None, typer.Option(help="key folder")] = None,
    fence: Annotated[
        Path | None, typer.Option(help="folder on another volume: shows a database that was put back")
    ] = None,
    public_url: Annotated[
        str | None, typer.Option(help="address of the gateway as people reach it; printed documents name it")
    ] = None,
    host: Annotated[str | None, typer.Option(help="address to listen on")] = None,
    port: Annotated[int | None, typer.Option(help="port to listen on")] = None,
    log_level: Annotated[str | None, typer.Option(help="DEBUG, INFO, WARNING or ERROR")] = None,
) -> None:
    """Serve one province's registry, or several. Every option has a TONGBAN_ variable of the same name."""
    given = {
        "province": tuple(province) if province else None,
        "database": database,
        "transport": transport,
        "ledger": ledger,
        "keys": keys,
        "fence": fence,
        "public_url": public_url,
        "host": host,
        "port": port,
        "log_level": log_level,
    }
    try:
        settings = load_settings(**given)
        configure_logs("registry", settings.log_level)
        arm(os.environ.get(VARIABLE))
        profiles = [load_province(path) for path in settings.province]
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            code = runner.run(run(settings, profiles))
    except TongbanError as error:
        typer.echo(f"tongban-registry: {error}", err=True)
        raise typer.Exit(2) from error
    raise typer.Exit(code)


async def run(settings: Settings, profiles: Sequence[ProvinceProfile]) -> int:
    """Serve until told to stop. Returns the exit code: 1 when a worker stopped. Raises SettingsError."""
    transport = LateTransport(partial(open_transport, settings.transport))
    house, post = House(), open_post(settings)
    # Addresses here are inside; a proxy of the environment has no business between them.
    async with httpx.AsyncClient(base_url=settings.ledger, trust_env=False) as http:
        secret = load_secrets(settings.keys).custody
        for profile in profiles:
            ledger = HttpLedger(http, load_signer(settings.keys, profile.code), secret)
            around = Surrounds(
                transport, ledger, WallClock(), settings.keys, _fences(settings), settings.public_url, post
            )
            house.add(Berth(profile, settings.database_of(profile.code), around, house.stopping))
        tune_collector()
        try:
            with _listener(settings) as listener:
                return await _until_stopped(_server(settings, house), listener, house, transport)
        finally:
            await post.close()


def _fences(settings: Settings) -> Callable[[str], Fence] | None:
    """A file for each province in the folder given."""
    folder = settings.fence
    if folder is None:
        log.warning("no --fence: a database that was put back is noticed by the ledger and the peers alone")
        return None
    return lambda code: FileFence(folder / code)


def _listener(settings: Settings) -> socket.socket:
    """Bind before anything else is opened. Raises SettingsError."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        raise SettingsError(f"can't listen on --host and --port {settings.port}: {error.strerror}") from error
    log.info("listening", port=listener.getsockname()[1])
    return listener


def _server(settings: Settings, house: House) -> PatientServer:
    running = server(
        house, house.health, host=settings.host, port=settings.port, stop_pause_s=settings.stop_pause_s
    )
    # uvicorn would raise a signal again once it has stopped; here more than the server has to stop first.
    running.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]  # as said above
    for number in (signal.SIGTERM, signal.SIGINT):
        if sys.platform == "win32":
            signal.signal(number, running.handle_exit)
        else:
            asyncio.get_running_loop().add_signal_handler(number, running.handle_exit, number, None)
    return running


async def _until_stopped(
    running: PatientServer, listener: socket.socket, house: House, transport: LateTransport
) -> int:
    """Serve; then: readiness off, requests answered, units finished, parcels out, pools closed."""
    serving = asyncio.create_task(running.serve([listener]))
    works = (transport.run(), *(berth.run() for berth in house.berths))
    parts = [asyncio.create_task(work) for work in works]
    failing = asyncio.create_task(asyncio.wait(parts, return_when=asyncio.FIRST_EXCEPTION))
    await asyncio.wait({serving, failing}, return_when=asyncio.FIRST_COMPLETED)
    house.health.stopping = running.should_exit = True
    if failing.done():
        # Behind a worker that has stopped nobody is helped any more: whoever waits is told so, and no more.
        running.config.timeout_graceful_shutdown = LET_GO_S
    await serving
    failures = [part.exception() for part in parts if part.done()]
    stopped = await _stop(house, transport, [failing, *parts])
    error = next((failure for failure in failures if failure is not None), None)
    if error is not None and not isinstance(error, WorkerStoppedError):
        raise error
    log.info("stopped", code=str(int(error is not None or not stopped)))
    return int(error is not None or not stopped)


async def _stop(house: House, transport: LateTransport, tasks: Sequence[asyncio.Task[Any]]) -> bool:
    """Stop all registries at once, then the transport; False if they took longer than they may."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    try:
        async with asyncio.timeout(STOP_S):
            await asyncio.gather(*(berth.stop() for berth in house.berths))
            await transport.close()
    except TimeoutError:
        log.warning("not stopped in time; the outbox keeps what was not sent", seconds=STOP_S)
        return False
    return True


if __name__ == "__main__":
    app()
