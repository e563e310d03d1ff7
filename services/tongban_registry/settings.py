"""What a registry needs to start: command line first, then TONGBAN_ variables of the environment."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from tongban_registry.post import PostSettings
from tongban_shared.errors import SettingsError

PLACE = "{code}"
"""Stands for the province's two digits in the address of the database."""
PUBLIC_URL = "https://tongban.example"
"""A name that nobody can own (RFC 2606): a paper printed before the setting was made leads to no stranger."""


class Settings(PostSettings):
    """One field, one TONGBAN_ variable; the options of the command line stand over both.

    province: one file of deploy/provinces for each province that this process answers for; in the variable
    separated by commas. database: its address; with several provinces it holds `{code}`. keys: folder with
    the public list, the secrets and the private keys of these provinces. fence: folder on another volume than
    the database, where the newest state of its log is noted before anything leaves. public_url: where people
    reach the gateway; the code on a printed document leads to /v/… below it. stop_pause_s: from readiness off
    to the first refused connection. The rest: how applicants are told of
    their cases; a channel that is not set up writes to the log.
    """

    model_config = SettingsConfigDict(
        env_prefix="TONGBAN_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    province: Annotated[tuple[Path, ...], NoDecode, Field(min_length=1)]
    # Secret, since the address of a database may hold its password.
    database: SecretStr
    transport: Annotated[str, Field(pattern=r"^(memory:|kafka://.+)$")]
    ledger: Annotated[str, Field(pattern=r"^https?://.+$")]
    keys: Path
    # None: only ledger and peers could tell that the database was put back to a backup.
    fence: Path | None = None
    public_url: Annotated[str, Field(pattern=r"^https?://[!-~]+$", max_length=200)] = PUBLIC_URL
    host: str = "127.0.0.1"
    # 0: any free port; the log says which.
    port: Annotated[int, Field(ge=0, le=65_535)] = 7200
    stop_pause_s: Annotated[float, Field(ge=0, le=60)] = 5.0
    log_level: Annotated[str, Field(pattern="^(DEBUG|INFO|WARNING|ERROR)$")] = "INFO"

    @field_validator("province", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value

    def database_of(self, code: str) -> str:
        """The address of one province's database."""
        return self.database.get_secret_value().replace(PLACE, code)


def load_settings(**given: object) -> Settings:
    """Read the settings; what is given and not None wins. Raises SettingsError that names each wrong one."""
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]  # checked by pydantic
    except ValidationError as error:
        wrong = sorted({str(fault["loc"][0]) for fault in error.errors(include_input=False)})
        names = ", ".join(f"--{name.replace('_', '-')} or TONGBAN_{name.upper()}" for name in wrong)
        raise SettingsError(f"missing or wrong: {names}") from None
    _check_provinces(settings)
    return settings


def _check_provinces(settings: Settings) -> None:
    """Each province once, and a database for each. Raises SettingsError."""
    twice = [path.name for path, count in Counter(settings.province).items() if count > 1]
    if twice:
        raise SettingsError(f"--province names {', '.join(twice)} twice")
    if len(settings.province) > 1 and PLACE not in settings.database.get_secret_value():
        raise SettingsError(f"several provinces need a database each: write {PLACE} into --database")
