"""Counts become shares with an interval that can be trusted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from votes.schema import Count, Kind
from votes.tally import Tally, wilson

COUNTS = st.integers(0, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [  # Newcombe, Statistics in Medicine 17 (1998), table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_is_the_published_one(k: int, n: int, low: float, high: float) -> None:
    assert wilson(k, n) == pytest.approx((low, high), abs=5e-5)


@given(COUNTS)
def test_the_interval_lies_within_the_scale_and_holds_the_share(count: tuple[int, int]) -> None:
    k, n = count
    low, high = wilson(k, n)
    assert 0 <= low <= high <= 1
    if n:
        assert low <= k / n + 1e-12
        assert high >= k / n - 1e-12


@given(COUNTS)
def test_left_and_right_are_treated_alike(count: tuple[int, int]) -> None:
    k, n = count
    low, high = wilson(n - k, n)
    assert wilson(k, n) == pytest.approx((1 - high, 1 - low))


@given(st.integers(1, 500), st.integers(2, 9))
def test_more_answers_narrow_it(n: int, times: int) -> None:
    low, high = wilson(n // 2, n)
    narrower = wilson(n // 2 * times, n * times)
    assert narrower[1] - narrower[0] < high - low


def test_without_answers_nothing_is_known() -> None:
    assert wilson(0, 0) == (0, 1)
    with pytest.raises(ValueError, match="no share"):
        Tally(Count()).share(Kind.GENERATED)


@pytest.mark.parametrize(("k", "n"), [(-1, 3), (4, 3)])
def test_what_is_no_share_is_refused(k: int, n: int) -> None:
    with pytest.raises(ValueError, match="no share"):
        wilson(k, n)


def test_a_share_needs_ten_answers() -> None:
    assert Tally(Count(4, 5)).too_few
    ten = Tally(Count(4, 6))
    assert not ten.too_few
    assert (ten.share(Kind.PHOTOGRAPH).value, ten.share(Kind.GENERATED).value) == (0.4, 0.6)
