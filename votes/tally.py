"""From counts to shares, with their uncertainty. Pure functions."""

from dataclasses import dataclass
from statistics import NormalDist

from votes.schema import Count, Kind

FEWEST_ANSWERS = 10  # below it the interval spans more than half of the scale: a share says nothing


def wilson(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The score interval of a share `k` of `n`, both ends within 0..1; (0, 1) without answers.

    Unlike the textbook's "plus or minus" it holds for few answers and for shares near 0 and 1.
    Source: E. B. Wilson, Journal of the American Statistical Association 22 (1927), 209-212.
    Raises `ValueError` for a `k` that is not within 0..n.
    """
    if not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is no share.")
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, spread = k / n, z * z / n
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * (share * (1 - share) / n + spread / (4 * n)) ** 0.5
    # at the ends the bound is exact, which rounding would miss
    return (0.0 if k == 0 else middle - half), (1.0 if k == n else middle + half)


@dataclass(frozen=True)
class Share:
    """How many of all gave one answer: 0..1, and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Tally:
    """A count, as people are told it."""

    count: Count

    @property
    def answers(self) -> int:
        """All of them."""
        return self.count.answers

    @property
    def too_few(self) -> bool:
        """Whether a share would only mislead: then people are told the counts."""
        return self.answers < FEWEST_ANSWERS

    def share(self, kind: Kind) -> Share:
        """Of one answer. Raises `ValueError` without any answer."""
        k = self.count.of(kind)
        if not self.answers:
            raise ValueError("No answers, no share.")
        return Share(k / self.answers, *wilson(k, self.answers))
