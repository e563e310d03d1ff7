"""The README's first call: started, called and answered as it says."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.house import sources

CALL = re.compile(r"^```sh\n(curl.*?)^```\n.*?^```json\n(.*?)^```", re.MULTILINE | re.DOTALL)
ADDRESS = "http://127.0.0.1:8080"
# What differs each time; the rest of an answer is printed in the README as it comes.
DIFFERS = {
    "case_id",
    "submitted_at",
    "promised_at",
    "statutory_at",
    "technical_at",
    "until",
    "at",
    "as_of",
    "proof",
}
READY_S, PAUSE_S, SETTLED_S = 45.0, 0.1, 15.0


def _calls(page: str) -> list[tuple[list[str], Any]]:
    """Each curl of a page as arguments, and the answer printed below it."""
    text = (sources.ROOT / page).read_text(encoding="utf-8")
    return [
        (shlex.split(call.replace("\\\n", " ")), json.loads(answer)) for call, answer in CALL.findall(text)
    ]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A new country as `make run` makes it, without traffic, on a free port."""
    folder = tmp_path_factory.mktemp("readme")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "tongban_sandbox.cli", "run", "--rate", "0"]
    command += ["--port", str(port), "--state", str(folder / "sandbox")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        _until(lambda: _ready(url), READY_S, folder / "log")
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", trust_env=False).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _until(done: Callable[[], bool], limit_s: float, log: Path) -> None:
    deadline = time.monotonic() + limit_s
    while not done():
        assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
        time.sleep(PAUSE_S)


def _curl(arguments: list[str], address: str) -> Any:  # noqa: ANN401  # any JSON value
    """Run it as printed, at this address instead of the printed one."""
    command = [argument.replace(ADDRESS, address) for argument in arguments]
    if shutil.which("curl") is None:
        return _without_curl(command)
    done = subprocess.run([*command, "--noproxy", "*"], capture_output=True, check=True, timeout=20)
    return json.loads(done.stdout)


def _without_curl(command: list[str]) -> Any:  # noqa: ANN401  # any JSON value
    """The same request on a machine that has no curl: `-H` headers, `-d` body, the address."""
    options = list(pairwise(command))
    headers = dict(value.split(": ", 1) for option, value in options if option == "-H")
    body = next(value for option, value in options if option == "-d")
    url = next(argument for argument in command if argument.startswith("http"))
    return httpx.post(url, headers=headers, content=body.encode(), trust_env=False).json()


@pytest.mark.timeout(120)
def test_the_first_call_answers_as_printed(address: str) -> None:
    """Ms Sun applies and lives in another province a moment later."""
    (apply, applied), (lookup, found) = _calls("README.md")
    assert _stable(_curl(apply, address)) == _stable(applied)
    deadline = time.monotonic() + SETTLED_S
    while _stable(answer := _curl(lookup, address)) != _stable(found) and time.monotonic() < deadline:
        time.sleep(PAUSE_S)
    assert _stable(answer) == _stable(found)


def test_both_languages_make_the_same_calls() -> None:
    """The Chinese page prints the same commands and answers."""
    assert _calls("README.zh-CN.md") == _calls("README.md")


def _stable(answer: Any) -> Any:  # noqa: ANN401  # any JSON value
    """An answer with what differs each time replaced by its type."""
    if isinstance(answer, Mapping):
        return {
            name: type(value).__name__ if name in DIFFERS else _stable(value)
            for name, value in answer.items()
        }
    return [_stable(part) for part in answer] if isinstance(answer, list) else answer
