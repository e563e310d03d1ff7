"""The program tongban: a whole country on one machine, to try, to see and to measure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from tongban_sandbox.state import DEFAULT_FOLDER, DEFAULT_SCALE, DEFAULT_SEED, Plan
from tongban_shared.errors import TongbanError

# The parts are heavy; each command loads its own, so that `tongban --help` answers at once.
# ruff: noqa: PLC0415

State = Annotated[Path, typer.Option(help="folder with databases and keys; made where it is missing")]
Scale = Annotated[int, typer.Option(min=500, help="one synthetic person for so many real ones")]
Seed = Annotated[int, typer.Option(help="the same seed makes the same people")]
FAILED, WRONG_USE = 1, 2

# Commands that other files bring: name, module, and the Typer application or function in it.
PARTS = {
    "topics": ("tongban_sandbox.commands_topics", "topics_app"),
    "quarantine": ("tongban_sandbox.commands_ops", "quarantine_app"),
    "docs": ("tongban_sandbox.commands_docs", "docs"),
    "bench": ("tongban_sandbox.bench.command", "bench"),
    "model": ("tongban_sandbox.model.command", "model"),
    "simulate": ("tongban_sandbox.simulation.command", "simulate"),
    "reconcile": ("tongban_sandbox.reconcile.command", "reconcile"),
    "faults": ("tongban_sandbox.faults.command", "faults"),
    "verify": ("tongban_sandbox.commands_verify", "verify"),
}
# The part reads its own options, --help too.
FORWARDED = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)


@contextmanager
def _plain_errors() -> Iterator[None]:
    """A known failure is one line and exit code 2; Ctrl-C is no failure."""
    try:
        yield
    except TongbanError as error:
        typer.echo(f"tongban: {error}", err=True)
        raise typer.Exit(WRONG_USE) from error
    except KeyboardInterrupt:
        typer.echo("tongban: stopped", err=True)
        raise typer.Exit(130) from None


@app.command()
def run(
    *,
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65_535, help="port on 127.0.0.1; without it 8080, or a free one if that is taken"
        ),
    ] = None,
    scale: Scale = DEFAULT_SCALE,
    rate: Annotated[
        float, typer.Option(min=0, max=200, help="new cases a second; the real country has 0.26")
    ] = 1.0,
    state: State = DEFAULT_FOLDER,
    seed: Seed = DEFAULT_SEED,
) -> None:
    """Run the whole country: 31 registries, ledger, gateway and traffic, on one port of 127.0.0.1.

    A second run on the same folder goes on where the first one stopped, however it stopped.
    """
    from rich.console import Console

    from tongban_sandbox.running import RunOptions, run as run_country

    with _plain_errors():
        run_country(RunOptions(state, Plan(scale, seed), port, rate), Console())


@app.command()
def demo(seed: Seed = DEFAULT_SEED) -> None:
    """Four stories from application to their end, in a country of their own that is thrown away after."""
    from tongban_sandbox.demo import run_demo
    from tongban_shared.web.logs import configure_logs

    with _plain_errors():
        configure_logs("sandbox", "WARNING")
        run_demo(seed)


@app.command()
def live(
    keep: Annotated[Path | None, typer.Option(help="write to this folder, and keep the logs")] = None,
    seed: Seed = DEFAULT_SEED,
) -> None:
    """The same stories on real parts: Kafka, PostgreSQL, and each program as a process of its own."""
    from tongban_sandbox.live import run_live

    with _plain_errors():
        run_live(keep, seed)


@app.command()
def status(state: State = DEFAULT_FOLDER) -> None:
    """Figures of a running sandbox; exit code 1 unless everybody has exactly one home."""
    from rich.console import Console

    from tongban_sandbox.asking import show_status

    with _plain_errors():
        good = show_status(state, Console())
    if not good:
        raise typer.Exit(FAILED)


@app.command()
def case(
    case_id: Annotated[str, typer.Argument(help="21 characters")], state: State = DEFAULT_FOLDER
) -> None:
    """One case of a running sandbox: what happened, and whose move it is."""
    from rich.console import Console

    from tongban_sandbox.asking import show_case

    with _plain_errors():
        show_case(state, case_id, Console())


keys_app = typer.Typer(no_args_is_help=True, help="Keys of provinces, ledger and gateway.")
app.add_typer(keys_app, name="keys")


@keys_app.command("init")
def keys_init(
    keys: Annotated[Path, typer.Option(help="key folder; owners that have keys keep them")] = Path(
        "var/keys"
    ),
) -> None:
    """Make keys for every owner that has none: 31 provinces, ledger, gateway."""
    from tongban_shared.ids import PROVINCES
    from tongban_shared.keys import generate_keys, load_directory

    with _plain_errors():
        generate_keys(keys, [*sorted(PROVINCES), "ledger", "gateway"])
        owners = {entry["owner"] for entry in load_directory(keys).entries}
        typer.echo(
            f"{keys}: keys of {len(owners)} owners; directory.json is public, the other files are secret"
        )


@keys_app.command("rotate")
def keys_rotate(
    owner: Annotated[str, typer.Argument(help="province code, ledger or gateway")],
    keys: Annotated[Path, typer.Option(help="key folder")] = Path("var/keys"),
) -> None:
    """Give an owner new keys; the old ones stay, to verify and to open what was made with them."""
    from tongban_shared.keys import rotate_keys

    with _plain_errors():
        typer.echo(
            f"{keys}: {owner} signs with {rotate_keys(keys, owner)}; programs take it up by themselves"
        )


@app.command(context_settings=FORWARDED)
def topics(context: typer.Context) -> None:
    """Topics on Kafka: make them, or compare a live cluster with what is wanted."""
    _forward("topics", context.args)


@app.command(context_settings=FORWARDED)
def quarantine(context: typer.Context) -> None:
    """Refused messages: list and show them, replay or drop one, see who did what."""
    _forward("quarantine", context.args)


@app.command(context_settings=FORWARDED)
def docs(context: typer.Context) -> None:
    """Print the generated documents again; --check fails if one is stale."""
    _forward("docs", context.args)


@app.command(context_settings=FORWARDED)
def bench(context: typer.Context) -> None:
    """Measure cases a second and latencies on this machine."""
    _forward("bench", context.args)


@app.command(context_settings=FORWARDED)
def reconcile(context: typer.Context) -> None:
    """Is anybody lost or doubled tonight, who, and what is to be done?"""
    _forward("reconcile", context.args)


@app.command(context_settings=FORWARDED)
def model(context: typer.Context) -> None:
    """Search every order of messages and faults through the product's own steps."""
    _forward("model", context.args)


@app.command(context_settings=FORWARDED)
def faults(context: typer.Context) -> None:
    """Kill, freeze, cut and fill real processes under load, and look for anybody who noticed."""
    _forward("faults", context.args)


@app.command(context_settings=FORWARDED)
def simulate(context: typer.Context) -> None:
    """Play the whole on a seeded loop with virtual time, while everything fails that can."""
    _forward("simulate", context.args)


@app.command(context_settings=FORWARDED)
def verify(context: typer.Context) -> None:
    """Is a certificate, permit or receipt genuine and valid now? Offline, by public keys."""
    _forward("verify", context.args)


def _forward(name: str, arguments: list[str]) -> None:
    """Let another file's commands answer, under this program's name."""
    module, attribute = PARTS[name]
    if find_spec(module) is None:
        typer.echo(f"tongban: this installation has no {name}", err=True)
        raise typer.Exit(WRONG_USE)
    part = getattr(import_module(module), attribute)
    if not isinstance(part, typer.Typer):
        function, part = part, typer.Typer(add_completion=False)
        part.command()(function)
    part(arguments, prog_name=f"tongban {name}")


if __name__ == "__main__":
    app()
