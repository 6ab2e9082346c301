"""Growth: one signature of a form of 0 to 200 parameters, in parts of what 200 parameters cost on top of none.

Linear growth gives 0.25, 0.50, 0.75, 1.00; the sorting adds a little to the end.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.signing import USER
from benchmarks.timing import fastest, repeated
from sansauth import build_request
from sansauth.oauth1 import sign

SECONDS = 2.0
COUNTS = (0, 50, 100, 150, 200)


def measure(*, seconds: float = SECONDS) -> dict[int, float]:
    """The seconds that one signature takes, by the number of parameters in the form."""
    requests = {
        count: build_request(
            "POST", "https://api.x.com/2/a", form=[(f"name{count - n}", f"a value {n}") for n in range(count)]
        )
        for count in COUNTS
    }
    took = fastest(
        {
            str(count): repeated(
                lambda request=request: sign(request, USER, timestamp=1318622958, nonce="of-this-call")
            )
            for count, request in requests.items()
        },
        seconds=seconds,
    )
    return {int(count): value for count, value in took.items() if value is not None}


def shares(took: dict[int, float]) -> dict[int, float]:
    """What so many parameters cost on top of none, as a share of what 200 cost."""
    none, most = took[COUNTS[0]], took[COUNTS[-1]]
    return {count: (value - none) / (most - none) for count, value in took.items()}


def tables() -> Iterator[str]:
    """The one table."""
    took = measure()
    grown = shares(took)
    yield "\n".join(
        f"  {count:4} parameters {value * 1e6:10.1f} us   {grown[count]:.2f} of the growth"
        for count, value in took.items()
    )
