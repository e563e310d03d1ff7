"""What is broken at the moment. The nemesis changes it, everything else asks it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Weather:
    """Shares are of 0 to 1. cut: provinces that reach nobody. disk, fence: provinces whose database or fence
    fails now and then. spared: provinces that reach the ledger whatever happens.

    unsure: share of sends that are refused although they were taken. late_s: at most so long is a late parcel
    late. commit_s: how long a commit takes at most.
    """

    drop: float = 0.0
    repeat: float = 0.0
    corrupt: float = 0.0
    unsure: float = 0.0
    late: float = 0.0
    late_s: float = 0.0
    delay_s: float = 0.0
    commit_s: float = 0.05
    broker_down: bool = False
    ledger_down: bool = False
    ledger_unsure: float = 0.0
    cut: set[str] = field(default_factory=set)
    disk: set[str] = field(default_factory=set)
    fence: set[str] = field(default_factory=set)
    spared: set[str] = field(default_factory=set)

    def clear_up(self) -> None:
        """Everything works again, as fast as ever."""
        fair = Weather(commit_s=self.commit_s)
        for name in self.__slots__:
            setattr(self, name, getattr(fair, name))
