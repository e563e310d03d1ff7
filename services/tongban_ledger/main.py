"""The program tongban-ledger: reads its settings, serves until it is told to stop."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from tongban_ledger.opening import Opening
from tongban_ledger.settings import Settings, load_settings
from tongban_shared.errors import TongbanError
from tongban_shared.fault_points import VARIABLE, arm
from tongban_shared.keys import load_directory
from tongban_shared.tuning import loop_factory
from tongban_shared.web.logs import configure_logs
from tongban_shared.web.serve import PatientServer, server

app = typer.Typer(add_completion=False, help=__doc__)


@app.command()
def serve(
    *,
    database: Annotated[str | None, typer.Option(help="sqlite:///FILE or postgresql://…")] = None,
    keys: Annotated[Path | None, typer.Option(help="folder with directory.json, the public key list")] = None,
    host: Annotated[str | None, typer.Option(help="address to listen on")] = None,
    port: Annotated[int | None, typer.Option(help="port to listen on")] = None,
    log_level: Annotated[str | None, typer.Option(help="DEBUG, INFO, WARNING or ERROR")] = None,
) -> None:
    """Serve the custody ledger (归属账本). Every option has a TONGBAN_ variable of the same name."""
    try:
        settings = load_settings(database=database, keys=keys, host=host, port=port, log_level=log_level)
        configure_logs("ledger", settings.log_level)
        arm(os.environ.get(VARIABLE))
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(_serve(settings))
    except TongbanError as error:
        typer.echo(f"tongban-ledger: {error}", err=True)
        raise typer.Exit(2) from error


async def _serve(settings: Settings) -> None:
    """Serve from now on, whatever is away; a wrong address of the database ends it. Raises SettingsError."""
    ledger = Opening(settings.database.get_secret_value(), load_directory(settings.keys))
    running = server(
        ledger,
        ledger.health,
        host=settings.host,
        port=settings.port,
        stop_pause_s=settings.stop_pause_s,
    )
    opening = asyncio.create_task(ledger.open())
    opening.add_done_callback(lambda task: _end(running, task))
    await running.serve()
    opening.cancel()
    error = (await asyncio.gather(opening, return_exceptions=True))[0]
    if isinstance(error, TongbanError):
        raise error


def _end(running: PatientServer, opening: asyncio.Task[None]) -> None:
    """What can't be opened ever must not look alive."""
    if not opening.cancelled() and opening.exception() is not None:
        running.should_exit = True


if __name__ == "__main__":
    app()
