"""How much a measurement does: by default under 6 minutes on two cores, quick under one."""

from __future__ import annotations

from dataclasses import dataclass, replace

BUSY_PER_S = 10.0


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured. seconds: of each throughput run, at most; *_s: of the other parts."""

    cases: int = 12_000
    seconds: float = 20.0
    warm_up: int = 600
    profiled_s: float = 8.0
    busy_s: float = 20.0
    alone_s: float = 40.0
    gateway_s: float = 20.0
    provinces: int = 31

    @property
    def http(self) -> int:
        """Cases of each HTTP run."""
        return self.cases // 2

    @property
    def mixed(self) -> int:
        """Applicants of the run with all case types; some have two cases."""
        return self.cases // 2

    @property
    def profiled(self) -> int:
        """Cases of the run under the sampler."""
        return self.cases // 3

    @property
    def needed(self) -> int:
        """Migrations of the load for real parts: every case is used once."""
        rated = int(BUSY_PER_S * self.busy_s) + int(self.alone_s * 5)
        return self.warm_up + self.cases + self.profiled + 2 * self.http + rated

    def changed(self, **given: float | None) -> Size:
        """With what is not None in place of its own."""
        return replace(self, **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]  # the fields' own names


QUICK = Size(cases=900, seconds=6.0, warm_up=100, busy_s=4.0, alone_s=5.0, gateway_s=5.0, provinces=5)
