"""The command `tongban reconcile`."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Annotated

import typer

from tongban_sandbox.reconcile.hearing import Country
from tongban_sandbox.reconcile.places import at, in_folder, read_addresses
from tongban_sandbox.reconcile.report import lines
from tongban_sandbox.reconcile.run import Outcome, reconcile as run
from tongban_sandbox.reconcile.selftest import self_test
from tongban_sandbox.state import DEFAULT_FOLDER
from tongban_shared.errors import TongbanError

FAILED, WRONG_USE, NOT_PROVEN = 1, 2, 3
People = Annotated[
    int | None,
    typer.Option(
        min=1_000,
        metavar="PEOPLE",
        help="make a country of so many, hide one person and double another, and find exactly these",
    ),
]


def reconcile(
    *,
    state: Annotated[
        Path | None,
        typer.Option(help=f"a sandbox's folder, running or not  [{DEFAULT_FOLDER}]"),
    ] = None,
    gateway: Annotated[str | None, typer.Option(help="address of a gateway: all its provinces")] = None,
    registry: Annotated[list[str] | None, typer.Option(help="CODE=URL of a registry; repeat it")] = None,
    directory: Annotated[Path | None, typer.Option(help="a gateway's file of addresses")] = None,
    ledger: Annotated[str | None, typer.Option(help="address of the custody ledger")] = None,
    keys: Annotated[Path, typer.Option(help="key folder: public list, secrets, the asker's key")] = Path(
        "var/keys"
    ),
    as_owner: Annotated[str, typer.Option("--as", help="whose key signs for the ledger")] = "gateway",
    selftest: People = None,
) -> None:
    """Is anybody lost or doubled tonight, who, and what is to be done?

    Provinces and ledger publish sums of keyed hashes of whom they have; only where
    sums differ are persons compared, by digests and epochs, never by name or number.
    It may run while people move.

    Exit code 0: everybody has exactly one home. 1: somebody is lost, doubled or
    forgotten. 2: wrong use, or no ledger. 3: not proven, a province gave no statement.
    """
    try:
        if selftest is not None:
            good = asyncio.run(self_test(selftest, typer.echo))
            raise typer.Exit(0 if good else FAILED)
        if gateway or registry or directory or ledger:
            addresses = read_addresses(gateway, registry or (), directory, ledger)
            outcome = asyncio.run(_prove(at(addresses, keys, as_owner)))
        else:
            outcome = asyncio.run(_prove(in_folder(state or DEFAULT_FOLDER)))
    except TongbanError as error:
        typer.echo(f"tongban: {error}", err=True)
        raise typer.Exit(WRONG_USE) from error
    for line in lines(outcome):
        typer.echo(line)
    if not outcome.proven:
        raise typer.Exit(FAILED if outcome.faulty else NOT_PROVEN)


async def _prove(place: AbstractAsyncContextManager[Country]) -> Outcome:
    async with place as country:
        return await run(country, typer.echo)
