"""The program tongban-ledger: reads its settings, opens its database, serves until it is told to stop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import typer
from fastapi import FastAPI

from tongban_ledger.app import create_app
from tongban_ledger.settings import Settings, load_settings
from tongban_ledger.storage.sql import open_store
from tongban_shared.errors import TongbanError
from tongban_shared.fault_points import VARIABLE, arm
from tongban_shared.keys import load_directory
from tongban_shared.tuning import loop_factory
from tongban_shared.web.logs import configure_logs
from tongban_shared.web.serve import server

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
    verifier = load_directory(settings.keys)
    store = await open_store(settings.database.get_secret_value())

    @asynccontextmanager
    async def closing(_: FastAPI) -> AsyncIterator[None]:
        yield  # behind serve() would be too late: it ends the process by the signal that stopped it
        await store.close()

    ledger = create_app(store, verifier, lifespan=closing)
    running = server(
        ledger,
        ledger.state.health,
        host=settings.host,
        port=settings.port,
        stop_pause_s=settings.stop_pause_s,
    )
    await running.serve()


if __name__ == "__main__":
    app()
