"""What guesses say together equals what statistics packages and the literature say."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from statsmodels.stats.proportion import proportion_confint

from votes.findings import detect, finding, group_by, is_right, share_right
from votes.schema import Guess, Item, Kind, Round, RoundId, Trial, VoterId
from votes.tally import wilson

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
COUNTS = st.integers(0, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def trial(voter: str, truth: Kind, right: bool, look: str = "grey") -> Trial:
    item = Item(f"{truth}-{look}", truth, look, "mini", "plate")
    wrong = Kind.GENERATED if truth == Kind.PHOTOGRAPH else Kind.PHOTOGRAPH
    said = truth if right else wrong
    round_ = Round(RoundId(item.id), item, NOON)
    return Trial(round_, Guess(round_.id, VoterId(voter), said, False, 2.0, NOON))


def room(*voters: tuple[int, int]) -> list[Trial]:
    """Voters by how many of how many they got right; photographs and portraits take turns."""
    return [
        trial(f"voter {i}", list(Kind)[n % 2], n < right)
        for i, (right, of) in enumerate(voters)
        for n in range(of)
    ]


@given(COUNTS.filter(lambda count: count[1] > 0))
def test_the_interval_of_a_share_is_that_of_statsmodels(count: tuple[int, int]) -> None:
    k, n = count
    assert wilson(k, n) == pytest.approx(proportion_confint(k, n, method="wilson"), abs=1e-9)


@given(COUNTS, COUNTS)
def test_detection_is_what_the_formulas_give(signal: tuple[int, int], noise: tuple[int, int]) -> None:
    found = detect(*signal, *noise)
    hit, alarm = (signal[0] + 0.5) / (signal[1] + 1), (noise[0] + 0.5) / (noise[1] + 1)
    assert found.d_prime == pytest.approx(norm.ppf(hit) - norm.ppf(alarm), abs=1e-9)
    assert found.criterion == pytest.approx(-(norm.ppf(hit) + norm.ppf(alarm)) / 2, abs=1e-9)


def test_detection_is_the_published_one() -> None:
    """H. Stanislaw, N. Todorov (1999): 20 of 25 and 10 of 25 give d' = 1.095, c = -0.294, uncorrected."""
    many = 10**6  # where the correction is nothing
    found = detect(20 * many, 25 * many, 10 * many, 25 * many)
    assert (found.d_prime, found.criterion) == pytest.approx((1.095, -0.294), abs=5e-4)


@given(COUNTS, COUNTS)
def test_swapping_the_two_kinds_turns_the_sign_of_telling_them_apart(
    signal: tuple[int, int], noise: tuple[int, int]
) -> None:
    one, other = detect(*signal, *noise), detect(*noise, *signal)
    assert one.d_prime == pytest.approx(-other.d_prime)
    assert one.criterion == pytest.approx(other.criterion)


@given(COUNTS, COUNTS)
def test_saying_the_opposite_turns_both_signs(signal: tuple[int, int], noise: tuple[int, int]) -> None:
    one = detect(*signal, *noise)
    other = detect(signal[1] - signal[0], signal[1], noise[1] - noise[0], noise[1])
    assert (one.d_prime, one.criterion) == pytest.approx((-other.d_prime, -other.criterion))


@pytest.mark.parametrize("counts", [(3, 2, 0, 1), (-1, 2, 0, 1), (0, 1, 2, 1), (0, 1, -1, 1)])
def test_what_are_no_counts_is_refused(counts: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="no counts"):
        detect(*counts)


@given(st.lists(COUNTS, min_size=1, max_size=12).filter(lambda voters: sum(n for _, n in voters) > 0))
def test_the_interval_of_a_room_holds_its_share_and_is_never_narrower_than_wilsons(
    voters: list[tuple[int, int]],
) -> None:
    few = [(min(right, 12), min(of, 12)) for right, of in voters]
    share = share_right(room(*few))
    right, of = sum(k for k, _ in few), sum(n for _, n in few)
    low, high = wilson(right, of)
    assert share.value == pytest.approx(right / of)
    assert 0 <= share.low <= min(low, share.value) + 1e-12
    assert 1 >= share.high >= max(high, share.value) - 1e-12


@given(*[st.lists(st.tuples(st.sampled_from(Kind), st.booleans()), min_size=10, max_size=40)] * 2)
def test_two_rooms_together_are_the_sum_of_both_in_either_order(
    one: list[tuple[Kind, bool]], other: list[tuple[Kind, bool]]
) -> None:
    rooms = [
        [trial(f"{name} {i}", truth, right) for i, (truth, right) in enumerate(said)]
        for name, said in (("here", one), ("there", other))
    ]
    here, there = map(finding, rooms)
    both, turned = finding([*rooms[0], *rooms[1]]), finding([*rooms[1], *rooms[0]])
    assert (both.answers, both.voters) == (turned.answers, turned.voters)
    assert (both.answers, both.voters) == (here.answers + there.answers, here.voters + there.voters)
    assert both.right and here.right and there.right and turned.right
    rights = here.right.value * here.answers + there.right.value * there.answers
    assert both.right.value == turned.right.value == pytest.approx(rights / both.answers, abs=1e-9)
    low, high = sorted((here.right.value, there.right.value))
    assert low - 1e-9 <= both.right.value <= high + 1e-9
    assert both.detection == turned.detection


def test_voters_that_differ_widen_the_interval_of_a_room() -> None:
    alike = share_right(room(*[(6, 12)] * 40))
    apart = share_right(room(*[(12, 12)] * 20, *[(0, 12)] * 20))
    assert alike.value == apart.value == 0.5
    assert (alike.low, alike.high) == pytest.approx(wilson(240, 480), abs=1e-9)
    assert apart.high - apart.low > 3 * (alike.high - alike.low)
    # 40 independent answers: the binomial's own spread
    assert apart.low == pytest.approx(0.5 - 1.96 * (0.25 / 40) ** 0.5, abs=0.02)


def test_the_same_guesses_give_the_same_interval() -> None:
    group = room((3, 12), (9, 12), (11, 12))
    assert share_right(group) == share_right(group)


def test_the_interval_of_rooms_covers_the_truth_as_often_as_it_says() -> None:
    """Rooms of voters who differ in skill, drawn with a known share: 95 % of intervals should hold it."""
    dice = np.random.default_rng(7)
    held = 0
    for _ in range(60):
        skills = dice.beta(6, 4, size=40)  # a mean of 0.6
        share = share_right(room(*[(int(dice.binomial(12, skill)), 12) for skill in skills]))
        held += share.low <= 0.6 <= share.high
    assert held >= 53  # fewer happen once in 100 such runs, were it exactly 95 %


def test_a_finding_counts_answers_voters_hits_and_false_alarms() -> None:
    said_ai = [trial(f"v{i}", Kind.GENERATED, right=i < 8) for i in range(10)]
    said_photo = [trial(f"v{i}", Kind.PHOTOGRAPH, right=i < 7) for i in range(10)]
    found = finding([*said_ai, *said_photo])
    assert (found.answers, found.voters) == (20, 10)
    assert found.right is not None
    assert found.right.value == 0.75
    assert found.detection == detect(8, 10, 3, 10)


def test_few_answers_get_no_percentage_and_one_kind_alone_no_detection() -> None:
    few = finding(room((5, 9)))
    assert (few.answers, few.right, few.detection) == (9, None, None)
    one_kind = finding([trial(f"v{i}", Kind.GENERATED, right=True) for i in range(10)])
    assert one_kind.right is not None
    assert one_kind.detection is None
    with pytest.raises(ValueError, match="No answers"):
        share_right([])


@given(st.lists(st.tuples(st.sampled_from(["grey", "black", "white"]), st.booleans()), max_size=30))
def test_groups_hold_every_answer_once(given_: list[tuple[str, bool]]) -> None:
    every = [trial(f"v{i}", Kind.GENERATED, right, look) for i, (look, right) in enumerate(given_)]
    groups = group_by(every, lambda trial: trial.round.item.look)
    assert list(groups) == sorted({look for look, _ in given_})
    assert sum(map(len, groups.values())) == len(every)
    rights = [sum(map(is_right, group)) for group in groups.values()]
    assert sum(rights) == sum(map(is_right, every))
