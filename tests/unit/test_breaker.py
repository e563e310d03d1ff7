from __future__ import annotations

from tongban_gateway.breaker import Breaker, BreakerPolicy, BreakerState, RetryBudget

POLICY = BreakerPolicy(failures_max=3, open_s=2.0, open_s_max=5.0, trial_s_max=10.0)


def broken(at_s: float = 0.0) -> Breaker:
    """A breaker that has just opened."""
    breaker = Breaker(POLICY)
    for _ in range(POLICY.failures_max):
        assert breaker.admits(at_s)
        breaker.failed(at_s)
    return breaker


def test_it_lets_all_through_while_all_is_well() -> None:
    """A closed breaker admits any number of requests at once."""
    breaker = Breaker(POLICY)
    assert all(breaker.admits(0.0) for _ in range(100))
    assert breaker.state is BreakerState.CLOSED


def test_failures_in_a_row_open_it() -> None:
    """After the set number of failures nothing goes through."""
    breaker = broken()
    assert breaker.state is BreakerState.OPEN
    assert not breaker.admits(1.9)


def test_an_answer_between_failures_starts_the_count_anew() -> None:
    """Only failures in a row count."""
    breaker = Breaker(POLICY)
    for _ in range(10):
        breaker.failed(0.0)
        breaker.failed(0.0)
        breaker.succeeded()
    assert breaker.state is BreakerState.CLOSED


def test_it_tells_since_when_and_for_how_long() -> None:
    """It knows the first failure of the row and the seconds until the next trial."""
    breaker = Breaker(POLICY)
    for at_s in (10.0, 11.0, 12.0):
        breaker.failed(at_s)
    assert breaker.failing_since_s == 10.0
    assert breaker.retry_after_s(12.5) == 1.5
    assert breaker.retry_after_s(99.0) == 0.0


def test_one_trial_goes_after_the_wait() -> None:
    """When the wait is over one request goes, and no second one beside it."""
    breaker = broken()
    assert breaker.admits(2.0)
    assert breaker.state is BreakerState.HALF_OPEN
    assert not breaker.admits(2.1)


def test_a_trial_that_is_answered_closes_it() -> None:
    """One answer is enough: the province is back."""
    breaker = broken()
    breaker.admits(2.0)
    breaker.succeeded()
    assert breaker.state is BreakerState.CLOSED
    assert breaker.failing_since_s is None
    assert all(breaker.admits(2.0) for _ in range(10))


def test_each_failed_trial_doubles_the_wait_up_to_its_limit() -> None:
    """The waits are 2, 4 and then 5 seconds."""
    breaker = broken()
    for at_s, wait_s in ((2.0, 4.0), (6.0, 5.0), (11.0, 5.0)):
        assert breaker.admits(at_s)
        breaker.failed(at_s)
        assert breaker.retry_after_s(at_s) == wait_s


def test_after_a_recovery_the_wait_is_short_again() -> None:
    """A later failure begins with the first wait."""
    breaker = broken()
    breaker.admits(2.0)
    breaker.failed(2.0)
    breaker.admits(6.0)
    breaker.succeeded()
    for _ in range(3):
        breaker.failed(7.0)
    assert breaker.retry_after_s(7.0) == 2.0


def test_a_trial_that_never_ends_does_not_shut_it_for_ever() -> None:
    """After the trial's own limit another one may go."""
    breaker = broken()
    assert breaker.admits(2.0)
    assert not breaker.admits(11.9)
    assert breaker.admits(12.0)


def test_a_trial_that_tells_nothing_makes_room_for_the_next() -> None:
    """A trial that ended before it reached the province is no trial."""
    breaker = broken()
    assert breaker.admits(2.0)
    breaker.abandoned()
    assert breaker.admits(2.1)


def test_late_failures_do_not_lengthen_the_wait() -> None:
    """Requests that were under way when it opened fail without consequence."""
    breaker = broken()
    breaker.failed(1.0)
    assert breaker.retry_after_s(1.0) == 1.0


def test_repeats_are_a_tenth_of_the_traffic() -> None:
    """Over any long run at most one request in ten is repeated."""
    budget = RetryBudget(share=0.1)
    repeats = 0
    for _ in range(1_000):
        budget.earn()
        repeats += budget.spend()
    assert 95 <= repeats <= 105


def test_a_quiet_time_saves_no_storm() -> None:
    """What is saved is bounded, so a long calm does not pay for a storm of repeats."""
    budget = RetryBudget(share=0.1, saved_max=10.0)
    for _ in range(100_000):
        budget.earn()
    assert sum(budget.spend() for _ in range(100)) == 10
