"""The checker itself: it must see whoever has no home or two."""

from __future__ import annotations

from tongban_sandbox.homes import Claims, Transit, count_homes
from tongban_shared.ids import Province

A, B = Province("32"), Province("44")


def test_a_simple_country_is_good() -> None:
    """Persons held once each have exactly one home."""
    homes = count_homes({A: Claims({"p", "q"}), B: Claims({"r"})}, registered=3)
    assert homes.good
    assert homes.exactly_one == 3


def test_a_person_whom_nobody_claims_is_lost() -> None:
    """The ledger knows three, the registers two: one is lost."""
    homes = count_homes({A: Claims({"p"}), B: Claims({"r"})}, registered=3)
    assert not homes.good
    assert (homes.exactly_one, homes.lost, homes.doubled) == (2, 1, 0)


def test_a_person_whom_two_provinces_claim_is_doubled() -> None:
    """Two claims are counted as a fault, and as no home at all."""
    homes = count_homes({A: Claims({"p", "q"}), B: Claims({"p"})}, registered=2)
    assert not homes.good
    assert (homes.exactly_one, homes.lost, homes.doubled) == (1, 0, 1)


def test_a_certificate_names_the_home_while_nobody_claims() -> None:
    """Released here and prepared there at the next epoch: the destination is the home."""
    registers = {
        A: Claims(set(), transit=[Transit("p", 0, "RELEASED", B)]),
        B: Claims(set(), transit=[Transit("p", 1, "PREPARED", A)]),
    }
    homes = count_homes(registers, registered=1)
    assert homes.good
    assert homes.in_transfer == 1


def test_a_certificate_for_another_epoch_is_no_home() -> None:
    """A destination that is prepared for another epoch does not take the person."""
    registers = {
        A: Claims(set(), transit=[Transit("p", 4, "RELEASED", B)]),
        B: Claims(set(), transit=[Transit("p", 1, "PREPARED", A)]),
    }
    assert count_homes(registers, registered=1).lost == 1


def test_the_dead_are_not_lost() -> None:
    """A registration that was closed by death is counted neither as a person nor as a loss."""
    homes = count_homes({A: Claims({"p"}, closed=1), B: Claims(set())}, registered=2)
    assert homes.good
    assert homes.people == 1
