from __future__ import annotations

import signal

from tongban_shared.web.guard import Receive, Scope, Send
from tongban_shared.web.health import Health
from tongban_shared.web.serve import PatientServer, server

LONG_S = 1_000.0


async def application(_: Scope, __: Receive, ___: Send) -> None:
    """Never called here."""


def serving(health: Health, stop_pause_s: float) -> PatientServer:
    """A server that was not started."""
    return server(application, health, host="127.0.0.1", port=0, stop_pause_s=stop_pause_s)


async def test_a_term_signal_takes_it_out_of_service_first() -> None:
    """After SIGTERM readiness is off while connections are still taken."""
    health = Health("x", "1")
    running = serving(health, LONG_S)
    running.handle_exit(signal.SIGTERM, None)
    assert health.stopping
    assert await running.on_tick(1) is False


async def test_it_stops_when_the_pause_is_over() -> None:
    """The pause for balancers has an end."""
    running = serving(Health("x", "1"), 1e-9)
    running.handle_exit(signal.SIGTERM, None)
    assert await running.on_tick(1) is True


async def test_a_second_signal_skips_the_pause() -> None:
    """Whoever is in a hurry signals twice."""
    running = serving(Health("x", "1"), LONG_S)
    running.handle_exit(signal.SIGTERM, None)
    running.handle_exit(signal.SIGTERM, None)
    assert await running.on_tick(1) is True


async def test_a_person_at_the_terminal_does_not_wait() -> None:
    """SIGINT stops at once, and takes it out of service all the same."""
    health = Health("x", "1")
    running = serving(health, LONG_S)
    running.handle_exit(signal.SIGINT, None)
    assert (health.stopping, await running.on_tick(1)) == (True, True)


def test_it_ends_requests_within_20_seconds_and_believes_no_address() -> None:
    """Graceful stop is bounded, connections idle 5 s at most, and stated addresses are not believed."""
    config = serving(Health("x", "1"), 0.0).config
    assert (config.timeout_graceful_shutdown, config.timeout_keep_alive) == (20, 5)
    assert (config.proxy_headers, config.server_header, config.access_log) == (False, False, False)
