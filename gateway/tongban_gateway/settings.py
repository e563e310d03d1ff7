"""Settings: the directory file (deploy/gateway.toml) and what environment and command line say over it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec
from pydantic_settings import BaseSettings, SettingsConfigDict

from tongban_gateway.breaker import BreakerPolicy
from tongban_gateway.exchange import WAIT_S_MAX
from tongban_gateway.forward import Patience
from tongban_shared import ids
from tongban_shared.errors import SettingsError, UnknownProvinceError
from tongban_shared.ids import Province
from tongban_shared.web.guard import BODY_SIZE_BYTES_MAX


class Settings(BaseSettings):
    """One field, one TONGBAN_ variable; the options of the command line stand over both."""

    model_config = SettingsConfigDict(env_prefix="TONGBAN_", extra="ignore")

    directory: Path = Path("deploy/gateway.toml")
    provinces: Path | None = None
    keys: Path = Path("var/keys")
    ledger: str | None = None
    host: str = "127.0.0.1"
    port: int = 8080
    log_level: str = "INFO"
    stop_pause_s: float = 5.0
    asyncapi: Path | None = None


class Client(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How patient the gateway is with registries; read covers the longest wait a caller may ask for."""

    connect_timeout_s: float = 1.0
    read_timeout_s: float = 35.0
    pool_timeout_s: float = 1.0
    pool_connections_max: int = 64
    pool_keepalive_connections_max: int = 16
    keepalive_expiry_s: float = 4.0
    body_size_max_bytes: int = BODY_SIZE_BYTES_MAX


class Breaking(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a province counts as down, and how long before it is tried again."""

    failures_to_open: int = 5
    open_s: float = 0.5
    open_max_s: float = 2.0


class Addresses(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Addresses of equal rank."""

    urls: tuple[str, ...] = ()


class DirectoryFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    registries: dict[str, tuple[str, ...]]
    client: Client = Client()
    breaker: Breaking = Breaking()
    ledger: Addresses = Addresses()

    @property
    def addresses(self) -> Mapping[Province, tuple[str, ...]]:
        """Addresses by province. Raises SettingsError."""
        try:
            return {ids.province(code): urls for code, urls in self.registries.items()}
        except UnknownProvinceError as error:
            raise SettingsError(f"registries: {error.province} is no province with a registry") from error

    @property
    def patience(self) -> Patience:
        """A call that asks for no wait gets what is left of the read timeout without the longest wait."""
        breaker = BreakerPolicy(
            failures_max=self.breaker.failures_to_open,
            open_s=self.breaker.open_s,
            open_s_max=self.breaker.open_max_s,
        )
        return Patience(answer_timeout_s=self.client.read_timeout_s - WAIT_S_MAX, breaker=breaker)


def load_directory_file(path: Path) -> DirectoryFile:
    """Read the directory. Raises SettingsError with file and key."""
    try:
        table = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), DirectoryFile)
    except OSError as error:
        raise SettingsError(f"no directory file {path.name}; name one with --directory") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise SettingsError(f"{path.name}: {error}") from error
    if table.client.read_timeout_s <= WAIT_S_MAX:
        raise SettingsError(
            f"{path.name}: client.read_timeout_s must exceed the longest wait, {WAIT_S_MAX} s"
        )
    if not table.addresses or not all(table.addresses.values()):
        raise SettingsError(f"{path.name}: registries needs a province, and each an address")
    return table
