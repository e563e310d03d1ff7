"""docker-compose.yml, read and compared with the programs. It is not run in CI: there is no engine there."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import pytest
import typer
from pydantic_settings import BaseSettings

from tests.house import small_yaml, sources
from tongban_gateway import main as gateway_main, settings as gateway_settings
from tongban_ledger import main as ledger_main, settings as ledger_settings
from tongban_registry import main as registry_main, settings as registry_settings
from tongban_sandbox import cli
from tongban_shared.provinces import load_provinces

COMPOSE = small_yaml.read((sources.ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: Mapping[str, dict[str, Any]] = COMPOSE["services"]
PROGRAMS: Mapping[str, tuple[typer.Typer, type[BaseSettings]]] = {
    "tongban-registry": (registry_main.app, registry_settings.Settings),
    "tongban-ledger": (ledger_main.app, ledger_settings.Settings),
    "tongban-gateway": (gateway_main.app, gateway_settings.Settings),
}
LOOPBACK = "127.0.0.1:"


def _commands(service: str) -> Iterator[list[str]]:
    """The programs of ours that a service runs, with their arguments."""
    command = SERVICES[service].get("command", [])
    if command[:2] == ["sh", "-c"]:
        yield from (shlex.split(part) for part in command[2].split("&&"))
    elif command and command[0].startswith("tongban"):
        yield command


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_tells_whether_it_is_well(service: str) -> None:
    """A service that goes on has a health check; one that ends by itself has none."""
    check = SERVICES[service]["healthcheck"]
    if SERVICES[service]["restart"] == "no":
        assert check == {"disable": "true"}
    else:
        assert check["test"][0] == "CMD"
        assert {"interval", "timeout", "retries", "start_period"} <= check.keys()


@pytest.mark.parametrize("service", SERVICES)
def test_nobody_starts_before_what_it_needs(service: str) -> None:
    """It waits until that is healthy, or has ended well where it is made to end."""
    for needed, how in SERVICES[service].get("depends_on", {}).items():
        ends = SERVICES[needed]["restart"] == "no"
        assert how["condition"] == ("service_completed_successfully" if ends else "service_healthy"), needed


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_is_open_to_the_network(service: str) -> None:
    """Ports are published on loopback only."""
    open_ports = [port for port in SERVICES[service].get("ports", []) if not port.startswith(LOOPBACK)]
    assert open_ports == []


@pytest.mark.parametrize("service", SERVICES)
def test_every_volume_is_declared(service: str) -> None:
    """A named volume is in the list at the end, a file in the repository."""
    for volume in SERVICES[service].get("volumes", []):
        source = volume.partition(":")[0]
        assert (sources.ROOT / source).exists() if "/" in source else source in COMPOSE["volumes"], volume


@pytest.mark.parametrize("service", SERVICES)
def test_every_command_and_variable_is_known(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program takes these options, finds the required ones, and has a setting for each variable."""
    given = {
        name: value
        for name, value in SERVICES[service].get("environment", {}).items()
        if name.startswith("TONGBAN_")
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(sources.ROOT)
    for program, *arguments in _commands(service):
        if program in PROGRAMS:
            _check_settings(program, arguments, given)
        else:
            _parse(typer.main.get_command(cli.app), arguments)


def _check_settings(program: str, arguments: list[str], given: Mapping[str, str]) -> None:
    app, settings = PROGRAMS[program]
    context = typer.main.get_command(app).make_context(program, list(arguments))
    known = {f"TONGBAN_{field.upper()}" for field in settings.model_fields}
    assert given.keys() <= known
    options = {name: value for name, value in context.params.items() if value is not None}
    settings(**options)


def _parse(command: Any, arguments: list[str]) -> None:  # noqa: ANN401  # typer keeps its own copy of click
    """Follow the words to the command they mean; it refuses what it does not know or misses."""
    context = command.make_context("tongban", list(arguments))
    if not hasattr(command, "resolve_command"):
        return
    name, chosen, rest = command.resolve_command(context, [*context._protected_args, *context.args])
    if name in cli.PARTS:
        module, attribute = cli.PARTS[name]
        chosen = typer.main.get_command(getattr(import_module(module), attribute))
    assert chosen is not None
    _parse(chosen, rest)


def test_the_provinces_are_those_of_the_files() -> None:
    """Each registry runs a province that there is, with a database of its own."""
    registries = [name for name in SERVICES if name.startswith("registry-")]
    databases = (sources.ROOT / "deploy/postgres/databases.sql").read_text(encoding="utf-8")
    assert registries
    for name in registries:
        code = name.removeprefix("registry-")
        command = SERVICES[name]["command"]
        assert code in load_provinces()
        assert command[command.index("--province") + 1] == f"deploy/provinces/{code}.toml"
        assert f"registry_{code}" in databases
