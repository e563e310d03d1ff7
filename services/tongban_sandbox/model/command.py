"""The command `tongban model`: search the product, then every mutant, and say what was found."""

from __future__ import annotations

import typer

from tongban_sandbox.model.instances import ALL
from tongban_sandbox.model.moves import Move, World
from tongban_sandbox.model.mutants import MUTANTS
from tongban_sandbox.model.rules import PRODUCT
from tongban_sandbox.model.search import Found, search
from tongban_sandbox.model.state import Instance

GOOD = "never two, never zero, none stuck"
TEXTS = {
    "apply": "{here}: an application comes in",
    "send": "{here}: sends the {message} to {there}",
    "receipt": "{here}: gets the receipt for the {message}",
    "deliver": "{here}: takes the {message}",
    "deliver late": "{here}: takes the {message} after the permit has lapsed",
    "repeat": "{here}: takes the {message} a second time, and it has an effect",
    "limit": "{here}: a limit passes",
    "withdraw": "{here}: the applicant withdraws",
    "approve": "{here}: an officer approves the offer that differs",
    "refuse": "{here}: an officer refuses the offer that differs",
    "enter": "ledger: enters the hand-over of {here}",
    "appended": "{here}: gets the ledger's answer",
    "located": "{here}: is told by the ledger where the persons are",
    "backup": "{here}: a copy of its database is taken",
    "restore": "{here}: the copy is put back, and it starts",
    "wipe": "broker: loses everything it had",
}


def model() -> None:
    """Search every order of messages, repeats, limits and wipes; exit code 1 if a promise breaks."""
    good = True
    for instance in ALL:
        typer.echo(
            f"{instance.name}: {len(instance.provinces)} provinces, {len(instance.filings)} applications"
        )
        world, found = search(instance, PRODUCT, lambda text: typer.echo(f"  … {text}"))
        typer.echo(f"  {figures(found)}: {verdict(found)}")
        _show(world, found)
        good = good and found.fault is None
    typer.echo("mutants: each must be found")
    for mutant in MUTANTS:
        world, found = search(mutant.instance, mutant.rules)
        typer.echo(f"{mutant.name}\n  {figures(found)}: {verdict(found)}")
        _show(world, found)
        good = good and found.fault == mutant.fault
    if not good:
        raise typer.Exit(1)


def figures(found: Found) -> str:
    """How much was looked at, and how long it took."""
    return f"{found.states:,} states, {found.transitions:,} transitions, {found.seconds:.1f} s"


def verdict(found: Found) -> str:
    """One line on what holds or breaks."""
    return GOOD if found.fault is None else f"BROKEN ({found.fault}) after {len(found.moves)} moves"


def story(world: World, moves: tuple[Move, ...]) -> list[str]:
    """The moves as numbered lines to read."""
    return [f"{number:3} {_line(world, move)}" for number, move in enumerate(moves, 1)]


def _line(world: World, move: Move) -> str:
    instance: Instance = world.instance
    message = world.tables.messages.values[move.message] if move.message >= 0 else None
    text = TEXTS[move.kind].format(
        here=instance.provinces[move.province],
        there=message.receiver if message else "",
        message=message.name if message else "",
    )
    serials = [filing.case_id for filing in instance.filings]
    return f"{text}, case {serials.index(move.case_id) + 1}" if move.case_id else text


def _show(world: World, found: Found) -> None:
    for line in story(world, found.moves):
        typer.echo(f"  {line}")
