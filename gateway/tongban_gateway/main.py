"""The program tongban-gateway: reads settings, opens the ways to ledger and registries, serves."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from tongban_gateway.app import GatewayApp, Options, create_app
from tongban_gateway.http1 import Http1Upstream
from tongban_gateway.settings import Client, DirectoryFile, Settings, load_directory_file
from tongban_gateway.upstream import AnyAddress, Upstream
from tongban_shared.errors import SettingsError, TongbanError
from tongban_shared.fault_points import VARIABLE, arm
from tongban_shared.ids import Province
from tongban_shared.keys import load_directory, load_secrets, load_signer
from tongban_shared.ledger_client import HttpLedger
from tongban_shared.provinces import ProvinceProfile, load_provinces
from tongban_shared.web.logs import configure_logs
from tongban_shared.web.serve import server

OWNER = "gateway"
"""Whose keys sign the gateway's questions to the ledger."""

app = typer.Typer(add_completion=False, help=__doc__)


def gateway_of(settings: Settings) -> GatewayApp:
    """Put the gateway together from its settings. Raises SettingsError, CatalogueError."""
    directory = load_directory_file(settings.directory)
    profiles = load_provinces(settings.provinces)
    secrets = load_secrets(settings.keys)
    http = httpx.AsyncClient(base_url=_ledger_url(settings, directory))
    ledger = HttpLedger(http, load_signer(settings.keys, OWNER), secrets.custody)
    options = Options(
        keys=load_directory(settings.keys),
        patience=directory.patience,
        asyncapi=settings.asyncapi.read_bytes() if settings.asyncapi else None,
        at_stop=(http.aclose,),
        body_size_bytes_max=directory.client.body_size_max_bytes,
    )
    return create_app(profiles, upstreams_of(directory, profiles), ledger, secrets, options=options)


def _ledger_url(settings: Settings, directory: DirectoryFile) -> str:
    url = settings.ledger or next(iter(directory.ledger.urls), None)
    if url is None:
        raise SettingsError("no address of the custody ledger; name one with --ledger or under [ledger]")
    return url


def upstreams_of(
    directory: DirectoryFile, profiles: Mapping[Province, ProvinceProfile]
) -> dict[Province, Upstream]:
    """Open a pool for each address. Raises SettingsError for a province without a profile."""
    strangers = sorted(directory.addresses.keys() - profiles.keys())
    if strangers:
        raise SettingsError(f"no province file for {', '.join(strangers)}")
    return {province: _way(urls, directory.client) for province, urls in directory.addresses.items()}


def _way(urls: Sequence[str], client: Client) -> Upstream:
    pools = [_pool(url, client) for url in urls]
    return pools[0] if len(pools) == 1 else AnyAddress(pools)


def _pool(url: str, client: Client) -> Upstream:
    return Http1Upstream(
        url,
        connections_max=client.pool_connections_max,
        idle_max=client.pool_keepalive_connections_max,
        idle_s_max=client.keepalive_expiry_s,
        connect_timeout_s=client.connect_timeout_s,
        pool_timeout_s=client.pool_timeout_s,
    )


@app.command()
def serve(
    *,
    directory: Annotated[Path | None, typer.Option(help="addresses of registries and ledger (TOML)")] = None,
    provinces: Annotated[Path | None, typer.Option(help="folder of province files")] = None,
    keys: Annotated[Path | None, typer.Option(help="key folder")] = None,
    ledger: Annotated[str | None, typer.Option(help="address of the custody ledger")] = None,
    host: Annotated[str | None, typer.Option(help="address to listen on")] = None,
    port: Annotated[int | None, typer.Option(help="port to listen on")] = None,
    log_level: Annotated[str | None, typer.Option(help="DEBUG, INFO, WARNING or ERROR")] = None,
) -> None:
    """Serve the gateway. Every option has a TONGBAN_ variable of the same name."""
    given = {
        "directory": directory,
        "provinces": provinces,
        "keys": keys,
        "ledger": ledger,
        "host": host,
        "port": port,
        "log_level": log_level,
    }
    try:
        _serve({name: value for name, value in given.items() if value is not None})
    except TongbanError as error:
        typer.echo(f"tongban-gateway: {error}", err=True)
        raise typer.Exit(2) from error


def _serve(given: dict[str, Any]) -> None:
    settings = Settings(**given)
    gateway = gateway_of(settings)
    configure_logs("gateway", settings.log_level)
    arm(os.environ.get(VARIABLE))
    running = server(
        gateway, gateway.health, host=settings.host, port=settings.port, stop_pause_s=settings.stop_pause_s
    )
    running.run()


if __name__ == "__main__":
    app()
