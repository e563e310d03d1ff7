"""What the ledger needs to start: command line first, then TONGBAN_ variables of the environment."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from tongban_shared.errors import SettingsError


class Settings(BaseSettings):
    """One field, one TONGBAN_ variable; the options of the command line stand over both."""

    model_config = SettingsConfigDict(env_prefix="TONGBAN_", frozen=True, extra="ignore")

    # Secret, since the address of a database may hold its password.
    database: SecretStr
    keys: Path
    host: str = "127.0.0.1"
    port: int = Field(default=7100, ge=0, le=65_535)
    stop_pause_s: float = Field(default=5.0, ge=0)
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")


def load_settings(**given: object) -> Settings:
    """Read the settings; what is given and not None wins. Raises SettingsError that names each wrong one."""
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]  # checked by pydantic
    except ValidationError as error:
        wrong = sorted({str(fault["loc"][0]) for fault in error.errors()})
        names = ", ".join(f"--{name} or TONGBAN_{name.upper()}" for name in wrong)
        raise SettingsError(f"missing or wrong: {names}") from error
