"""Settings of the programs as a page: variable, option of the command line, type, default."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, get_args, get_type_hints

from pydantic_settings import BaseSettings
from typer.models import OptionInfo

from tongban_gateway import main as gateway_main, settings as gateway_settings
from tongban_ledger import main as ledger_main, settings as ledger_settings
from tongban_registry import main as registry_main, settings as registry_settings
from tongban_sandbox.docs_gen.text import NONE, code, page, prose, table
from tongban_sandbox.docs_gen.words import field_rows

SOURCE = "the settings.py and main.py of each program"
HEAD = ("variable", "option", "type and limits", "if absent", "meaning")

INTRODUCTION = """An option of the command line stands over the environment's variable. A setting that is
missing or wrong is named when the program starts, and it does not start. The files that these settings
point to explain themselves: [a province](../deploy/provinces/44.toml), [what all provinces have in
common](../deploy/defaults.toml), [the gateway's directory](../deploy/gateway.toml), [the
topics](../deploy/topics.toml)."""


class Program(NamedTuple):
    """One console script."""

    name: str
    settings: type[BaseSettings]
    serve: Callable[..., None]


PROGRAMS = (
    Program("tongban-registry", registry_settings.Settings, registry_main.serve),
    Program("tongban-ledger", ledger_settings.Settings, ledger_main.serve),
    Program("tongban-gateway", gateway_settings.Settings, gateway_main.serve),
)


def settings_page() -> str:
    """docs/settings.md."""
    blocks = [INTRODUCTION]
    for program in PROGRAMS:
        blocks += [f"## {program.name}", prose(program.settings.__doc__), table(HEAD, _rows(program))]
    return page("Settings", SOURCE, blocks)


def _rows(program: Program) -> Iterator[Sequence[str]]:
    helps = _helps(program.serve)
    prefix = program.settings.model_config["env_prefix"]
    for name, kind, absent, meaning in field_rows(program.settings.model_json_schema()):
        plain = name.strip("`")
        option = code(f"--{plain.replace('_', '-')}") if plain in helps else NONE
        yield code(f"{prefix}{plain}".upper()), option, kind, absent, helps.get(plain, meaning)


def _helps(serve: Callable[..., None]) -> Mapping[str, str]:
    """The help of each option, by parameter."""
    hints = get_type_hints(serve, include_extras=True)
    return {name: _help(hints[name]) for name in inspect.signature(serve).parameters}


def _help(hint: Any) -> str:  # noqa: ANN401  # an annotation
    options = [extra for extra in get_args(hint)[1:] if isinstance(extra, OptionInfo)]
    return (options[0].help or "") if options else ""
