"""`tongban topics`: make the topics of every province, and compare a live cluster with what is wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from tongban_shared.errors import TongbanError
from tongban_shared.provinces import load_provinces
from tongban_shared.transports.kafka_topics import check_topics, create_topics
from tongban_shared.transports.topics import Topic, load_topics, wanted_topics

topics_app = typer.Typer(
    help="Topics on Kafka: one for each receiving province and family, made by operators.",
    no_args_is_help=True,
)

Bootstrap = Annotated[
    str,
    typer.Option(
        envvar="TONGBAN_TRANSPORT",
        help="Brokers to ask first: host:port[,host:port], with or without kafka:// before it.",
        show_default=False,
    ),
]
SingleBroker = Annotated[
    bool,
    typer.Option(
        "--single-broker",
        help="One copy of each record, on a cluster of one. For development only: a lost disk loses records.",
    ),
]
ProvincesFolder = Annotated[
    Path | None,
    typer.Option(
        help="Folder of province files; without it the provinces that ship with this program.",
        exists=True,
        file_okay=False,
        show_default=False,
    ),
]
Result = TypeVar("Result")


@topics_app.command()
def create(
    *, bootstrap: Bootstrap, single_broker: SingleBroker = False, provinces_folder: ProvincesFolder = None
) -> None:
    """Make the topics that are missing; those that exist are left alone and compared. Safe to repeat."""
    wanted = _wanted(provinces_folder, single_broker=single_broker)
    made = _run(create_topics(_address(bootstrap), wanted))
    typer.echo(f"{len(made)} topics made, {len(wanted) - len(made)} were there")
    _report(_run(check_topics(_address(bootstrap), wanted)))


@topics_app.command()
def check(
    *, bootstrap: Bootstrap, single_broker: SingleBroker = False, provinces_folder: ProvincesFolder = None
) -> None:
    """Compare live topics with the wanted ones. Exit code 1 when one differs, with what to do."""
    wanted = _wanted(provinces_folder, single_broker=single_broker)
    _report(_run(check_topics(_address(bootstrap), wanted)))
    typer.echo(f"{len(wanted)} topics are as wanted")


def _wanted(folder: Path | None, *, single_broker: bool) -> Sequence[Topic]:
    try:
        return wanted_topics(load_topics(), load_provinces(folder), single_broker=single_broker)
    except TongbanError as error:
        raise _refusal(error) from error


def _address(bootstrap: str) -> str:
    return bootstrap.removeprefix("kafka://")


def _run(work: Coroutine[Any, Any, Result]) -> Result:
    try:
        return asyncio.run(work)
    except TongbanError as error:
        raise _refusal(error) from error


def _report(lines: Sequence[str]) -> None:
    for line in lines:
        typer.echo(line, err=True)
    if lines:
        typer.echo(f"{len(lines)} differences", err=True)
        raise typer.Exit(1)


def _refusal(error: TongbanError) -> typer.Exit:
    typer.echo(str(error), err=True)
    return typer.Exit(1)
