"""Settings of the notification channels, and the channels made of them. All are off until they are set up."""

from __future__ import annotations

from datetime import time
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from tongban_registry.channels import Channel, Post, QuietHours
from tongban_registry.channels_http import SmsChannel, WebhookChannel, load_webhook_secrets
from tongban_registry.channels_smtp import MailServer, SmtpChannel
from tongban_shared.errors import SettingsError

PAIRS = (("smtp_host", "smtp_from"), ("smtp_user", "smtp_password"), ("sms_url", "sms_token"))
Visible = Annotated[str, Field(pattern=r"^[!-~]+$", max_length=200)]


class PostSettings(BaseSettings):
    """How applicants are told of their cases; a channel that is not set up writes to the log instead.

    Secrets stand in files, so that they are in no environment and on no command line.
    """

    model_config = SettingsConfigDict(
        env_prefix="TONGBAN_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    webhooks: Path | None = Field(
        default=None, description='TOML file of `"host" = "whsec_…"`: who may be called, and their secrets'
    )
    smtp_host: Visible | None = Field(default=None, description="mail server; none: no e-mail")
    smtp_port: Annotated[int, Field(ge=1, le=65_535)] = Field(default=587, description="its port")
    smtp_from: Annotated[str, Field(pattern=r"^[!-?A-~]+@[!-?A-~]+$", max_length=254)] | None = Field(
        default=None, description="sender's address of e-mails"
    )
    smtp_starttls: bool = Field(default=True, description="refuse a mail server without STARTTLS")
    smtp_user: Visible | None = Field(default=None, description="login at the mail server; none: no login")
    smtp_password: Path | None = Field(default=None, description="file with the password of that login")
    sms_url: Annotated[str, Field(pattern=r"^https?://[!-~]+$", max_length=500)] | None = Field(
        default=None, description="SMS gateway of a carrier: takes POST {id, to, text}"
    )
    sms_token: Path | None = Field(default=None, description="file with its bearer token")
    quiet_from: time = Field(default=time(22), description="no SMS and no e-mail from then on, China's time")
    quiet_until: time = Field(default=time(8), description="and until then, but for urgent ones")


def load_post_settings() -> PostSettings:
    """From the environment alone. Raises SettingsError that names what is wrong."""
    try:
        return PostSettings()
    except ValidationError as error:
        wrong = sorted(
            {f"TONGBAN_{str(fault['loc'][0]).upper()}" for fault in error.errors(include_input=False)}
        )
        raise SettingsError(f"missing or wrong: {', '.join(wrong)}") from None


def open_post(settings: PostSettings) -> Post:
    """The channels that are set up. Raises SettingsError: half set up, or a file can't be read."""
    for one, other in PAIRS:
        if (getattr(settings, one) is None) != (getattr(settings, other) is None):
            raise SettingsError(f"TONGBAN_{one.upper()} and TONGBAN_{other.upper()} belong together")
    channels: dict[str, Channel] = {}
    if settings.webhooks is not None:
        channels["webhook"] = WebhookChannel(load_webhook_secrets(settings.webhooks))
    if settings.smtp_host is not None and settings.smtp_from is not None:
        password = "" if settings.smtp_password is None else _secret(settings.smtp_password)
        server = MailServer(
            settings.smtp_host,
            settings.smtp_port,
            settings.smtp_from,
            starttls=settings.smtp_starttls,
            user=settings.smtp_user,
            password=password,
        )
        channels["email"] = SmtpChannel(server)
    if settings.sms_url is not None and settings.sms_token is not None:
        channels["sms"] = SmsChannel(settings.sms_url, _secret(settings.sms_token))
    return Post(channels, QuietHours(_clock(settings.quiet_from), _clock(settings.quiet_until)))


def _clock(moment: time) -> time:
    """Without a zone: all of China has one."""
    return moment.replace(tzinfo=None)


def _secret(file: Path) -> str:
    """One line. Raises SettingsError, which names the file alone."""
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise SettingsError(f"notifications: {file.name} can't be read") from error
    if not text.isascii() or not text.isprintable() or not text:
        raise SettingsError(f"notifications: {file.name} is not one line of plain text")
    return text
