"""What the gateway costs: the same registry asked directly, through the gateway and through nginx, in turn.

All on this machine and on loopback; every process started here is ended here, by its id.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import uvloop

from tongban_sandbox.bench.driver import Round, drive
from tongban_shared.errors import SettingsError
from tongban_shared.ids import Province, make_case_id
from tongban_shared.keys import generate_keys

CONNECTIONS = 32
ROUNDS = 5
PROVINCE = Province("44")
START_TIMEOUT_S = 20.0

_NGINX = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 512; }}
http {{
  access_log off;
  keepalive_requests 10000000;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b;
  fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  upstream registry {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 10000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://registry; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
"""
_DIRECTORY = """
[client]
pool_keepalive_connections_max = 64
[registries]
"{province}" = ["http://127.0.0.1:{upstream}"]
"""


def measure_gateway(seconds: float) -> dict[str, Any]:
    """Measure for about `seconds` in all. Rates per second, times in ms; ratios: medians over paired rounds.

    `nginx` and its ratio are None where nginx is not installed.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ports = {"direct": _free_port()}
        stack.enter_context(_process(_stand_in(ports["direct"]), ports["direct"]))
        ports["gateway"] = _free_port()
        command = _gateway(folder, ports["gateway"], ports["direct"])
        stack.enter_context(_process(command, ports["gateway"]))
        nginx = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
        if nginx is not None:
            ports["nginx"] = _free_port()
            stack.enter_context(_process(_proxy(nginx, folder, ports), ports["nginx"]))
        return _summary(uvloop.run(_rounds(ports, seconds)))


async def _rounds(ports: Mapping[str, int], seconds: float) -> dict[str, list[Round]]:
    """Interleaved, so that a busy moment of the machine meets all alike; the first round only warms up."""
    share_s = seconds / (ROUNDS + 1) / len(ports)
    request = _request()
    rounds: dict[str, list[Round]] = {name: [] for name in ports}
    for number in range(ROUNDS + 1):
        for name, port in ports.items():
            measured = await drive(port, request, share_s, CONNECTIONS)
            if number:
                rounds[name].append(measured)
            await asyncio.sleep(0.05)
    return rounds


def _request() -> bytes:
    case_id = make_case_id(PROVINCE, "01", date(2026, 11, 24), 1)
    return f"GET /v1/cases/{case_id} HTTP/1.1\r\nhost: tongban\r\naccept: application/json\r\n\r\n".encode()


def _summary(rounds: Mapping[str, list[Round]]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        name: {
            "per_s": round(statistics.median(one.per_s for one in measured)),
            "p50_ms": round(statistics.median(one.p50_ms for one in measured), 2),
            "p99_ms": round(statistics.median(one.p99_ms for one in measured), 2),
        }
        for name, measured in rounds.items()
    }
    shown.setdefault("nginx", None)
    for other in ("nginx", "direct"):
        pairs = zip(rounds["gateway"], rounds.get(other, ()), strict=False)
        ratios = [ours.per_s / theirs.per_s for ours, theirs in pairs]
        shown[f"ratio_to_{other}"] = round(statistics.median(ratios), 3) if ratios else None
    return shown


def _stand_in(port: int) -> list[str]:
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "error"]
    return [
        sys.executable,
        "-m",
        "uvicorn",
        "tongban_sandbox.bench.stand_in:app",
        "--port",
        str(port),
        *options,
    ]


def _gateway(folder: Path, port: int, upstream: int) -> list[str]:
    generate_keys(folder / "keys", ["gateway"])
    directory = folder / "gateway.toml"
    directory.write_text(_DIRECTORY.format(province=PROVINCE, upstream=upstream), encoding="utf-8")
    # No route that is measured asks the ledger.
    options = ["--ledger", "http://127.0.0.1:9", "--keys", str(folder / "keys"), "--log-level", "ERROR"]
    module = [sys.executable, "-m", "tongban_gateway.main"]
    return [*module, "--directory", str(directory), "--port", str(port), *options]


def _proxy(nginx: str, folder: Path, ports: Mapping[str, int]) -> list[str]:
    config = folder / "nginx.conf"
    text = _NGINX.format(folder=folder, port=ports["nginx"], upstream=ports["direct"])
    config.write_text(text, encoding="utf-8")
    return [nginx, "-c", str(config), "-p", str(folder)]


@contextmanager
def _process(command: list[str], port: int) -> Iterator[None]:
    """Run a server while the block lasts; it is ready when its port takes a connection."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        _wait_for(port, process)
        yield
    finally:
        process.terminate()
        try:
            process.wait(START_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            raise SettingsError(f"a server of the measurement ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SettingsError("a server of the measurement did not start in time")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
