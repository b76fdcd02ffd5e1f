"""What guesses say together: how often people are right, and whether they can tell the two apart at all.

Pure functions over trials. Answers about rehearsal sets are never pooled with others, nor are those of voters
who saw the making; whoever calls decides which group they look at, and names it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from scipy.stats import bootstrap

from votes.schema import Kind, Trial
from votes.tally import FEWEST_ANSWERS, Share, wilson

Counts = npt.NDArray[np.int64]

RESAMPLES = 9_999  # percentile ends of 95 % are then the 250th from either side
SEED = 20_261_124  # fixed: the same guesses give the same interval


@dataclass(frozen=True)
class Detection:
    """How well the two kinds are told apart (d'), and how readily somebody says AI (c).

    d' = 0 is chance. c = 0 leans to neither; below 0 people say AI too readily, above 0 too rarely.
    """

    d_prime: float
    criterion: float


@dataclass(frozen=True)
class Finding:
    """Of one group of answers."""

    answers: int
    voters: int
    right: Share | None  # None where the group is too small for a percentage
    detection: Detection | None  # None likewise, or where only one of the two kinds was asked about
    correct: int = 0  # how many of the answers are right


def detect(hits: int, generated: int, false_alarms: int, photographs: int) -> Detection:
    """`hits` of `generated` pictures and `false_alarms` of `photographs` were called AI.

    Log-linear correction, which keeps rates of 0 and 1 finite: M. J. Hautus, Behavior Research Methods,
    Instruments, & Computers 27 (1995), 46-51. d' and c: H. Stanislaw, N. Todorov, the same journal 31
    (1999), 137-149. Raises `ValueError` for counts that are none.
    """
    if not (0 <= hits <= generated and 0 <= false_alarms <= photographs):
        raise ValueError(f"{hits} of {generated} and {false_alarms} of {photographs} are no counts.")
    hit_rate, false_alarm_rate = (hits + 0.5) / (generated + 1), (false_alarms + 0.5) / (photographs + 1)
    z = NormalDist().inv_cdf
    signal, noise = z(hit_rate), z(false_alarm_rate)
    return Detection(signal - noise, -(signal + noise) / 2)


def is_right(trial: Trial) -> bool:
    """Whether the answer is the truth."""
    return trial.guess.answer == trial.round.item.truth


def finding(group: Sequence[Trial]) -> Finding:
    """What that group says."""
    voters = len({guess.voter for _, guess in group})
    correct = sum(is_right(trial) for trial in group)
    if len(group) < FEWEST_ANSWERS:
        return Finding(len(group), voters, None, None, correct)
    said_ai = {kind: [0, 0] for kind in Kind}  # how often, of how many
    for round_, guess in group:
        said_ai[round_.item.truth][0] += guess.answer == Kind.GENERATED
        said_ai[round_.item.truth][1] += 1
    (hits, generated), (alarms, photographs) = said_ai[Kind.GENERATED], said_ai[Kind.PHOTOGRAPH]
    both = generated and photographs
    return Finding(
        len(group),
        voters,
        share_right(group),
        detect(hits, generated, alarms, photographs) if both else None,
        correct,
    )


def share_right(group: Sequence[Trial]) -> Share:
    """The share of right answers, with a 95 % interval that knows of voters.

    The answers of one voter are not independent, so voters are drawn anew, not answers (percentile
    bootstrap: B. Efron, R. Tibshirani, An Introduction to the Bootstrap, 1993). Where voters are few or all
    alike it knows too little: the interval is never narrower than Wilson's. Raises `ValueError` without any.
    """
    right, answers = counts_per_voter(group)
    if not len(answers):
        raise ValueError("No answers, no share.")
    low, high = wilson(int(right.sum()), int(answers.sum()))
    if len(answers) > 1:
        interval = bootstrap(
            (right, answers),
            _ratio,
            paired=True,
            vectorized=True,
            n_resamples=RESAMPLES,
            batch=256,  # or a thousand voters take 160 MB
            method="percentile",
            rng=np.random.default_rng(SEED),
        ).confidence_interval
        low, high = min(low, float(interval.low)), max(high, float(interval.high))
    return Share(float(right.sum() / answers.sum()), low, high)


def counts_per_voter(group: Sequence[Trial]) -> tuple[Counts, Counts]:
    """How many answers of each voter were right, and how many they gave: two int64 arrays of (voters,)."""
    counts: dict[str, list[int]] = {}
    for trial in group:
        count = counts.setdefault(trial.guess.voter, [0, 0])
        count[0] += is_right(trial)
        count[1] += 1
    table = np.array(list(counts.values()), np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def group_by(trials: Sequence[Trial], name: Callable[[Trial], str]) -> dict[str, list[Trial]]:
    """The same answers in groups, by name."""
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(name(trial), []).append(trial)
    return dict(sorted(groups.items()))


def _ratio(right: Counts, answers: Counts, axis: int) -> npt.NDArray[np.float64]:
    return np.asarray(right.sum(axis=axis) / answers.sum(axis=axis))
