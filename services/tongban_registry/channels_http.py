"""Notifications over HTTP: signed webhooks, and the gateway of an SMS carrier."""

from __future__ import annotations

import base64
import binascii
import hmac
import tomllib
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import msgspec

from tongban_registry.channels import PermanentError, TemporaryError, check_status
from tongban_registry.views import local
from tongban_shared.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tongban_registry.channels import Letter

SECRET_PREFIX = "whsec_"  # noqa: S105  # of every secret, and no secret
SECRET_SIZE_BYTES_MIN = 24
SEND_S = 8.0


def new_client() -> httpx.AsyncClient:
    """A client that follows nobody: a redirect could lead inside. The environment's proxies are not ours."""
    return httpx.AsyncClient(timeout=SEND_S, follow_redirects=False, trust_env=False)


class WebhookChannel:
    """POSTs what happened, signed as Standard Webhooks 1.0 has it: HMAC-SHA256 over `id.timestamp.body`.

    secrets: by `host` or `host:port` of those that may be called. An applicant's address alone leads nowhere,
    or anybody could have this registry call programs inside.
    """

    def __init__(self, secrets: Mapping[str, bytes]) -> None:
        self._secrets = secrets
        self._client = new_client()

    async def send(self, letter: Letter) -> None:
        """The body is the same each time; timestamp and signature are this try's."""
        secret = self._secrets.get(urlsplit(letter.address).netloc.lower())
        if secret is None:
            raise PermanentError("host_unknown")
        body = msgspec.json.encode(webhook_body(letter))
        timestamp = str(int(letter.now.timestamp()))
        headers = {
            "content-type": "application/json",
            "webhook-id": letter.id,
            "webhook-timestamp": timestamp,
            "webhook-signature": signature(secret, letter.id, timestamp, body),
        }
        await _post(self._client, letter.address, body, headers)

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.aclose()


def webhook_body(letter: Letter) -> dict[str, Any]:
    """Type, time of the change, facts, and the words for people."""
    words = {"language": letter.language, "subject": letter.subject, "text": letter.text}
    return {
        "type": "case.state_changed",
        "timestamp": local(letter.made_at),
        "data": {**letter.facts, "notification": words},
    }


def signature(secret: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """The header webhook-signature: `v1,` and base64 of the HMAC."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret, signed, sha256).digest()).decode("ascii")


def load_webhook_secrets(file: Path) -> dict[str, bytes]:
    """Read `"host" = "whsec_…"` lines of a TOML file. Raises SettingsError, which names the host alone."""
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"webhooks: {file.name} can't be read as TOML") from error
    return {host.lower(): _secret(host, text) for host, text in table.items()}


def _secret(host: str, text: object) -> bytes:
    try:
        raw = base64.b64decode(str(text).removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        raw = b""
    if not str(text).startswith(SECRET_PREFIX) or len(raw) < SECRET_SIZE_BYTES_MIN:
        raise SettingsError(f"webhooks: the secret of {host} is not {SECRET_PREFIX} and 24 bytes in base64")
    return raw


class SmsChannel:
    """POSTs `{id, to, text}` to the carrier's gateway, with a bearer token."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._authorization = f"Bearer {token}"
        self._client = new_client()

    async def send(self, letter: Letter) -> None:
        """The id lets the gateway tell a second copy."""
        body = msgspec.json.encode({"id": letter.id, "to": letter.address, "text": letter.text})
        headers = {
            "content-type": "application/json",
            "authorization": self._authorization,
            "idempotency-key": letter.id,
        }
        await _post(self._client, self._url, body, headers)

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.aclose()


async def _post(client: httpx.AsyncClient, url: str, body: bytes, headers: Mapping[str, str]) -> None:
    """Post, and read no more of the answer than its status. Errors of httpx name the address: none leaves."""
    try:
        async with client.stream("POST", url, content=body, headers=dict(headers)) as answer:
            status, retry_after = answer.status_code, answer.headers.get("retry-after")
    except httpx.InvalidURL:
        raise PermanentError("bad_address") from None
    except httpx.TimeoutException:
        raise TemporaryError("timeout") from None
    except httpx.HTTPError:
        raise TemporaryError("unreachable") from None
    check_status(status, retry_after)
