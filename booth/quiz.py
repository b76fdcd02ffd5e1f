"""The pictures that one visitor is asked about, one by one. The truth stays in here until the answer."""

import random
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from errors import VisitorError
from votes.schema import Guess, Item, Kind, Round, VoterId
from votes.store import Store

OWN_AMONG_FIRST = 4  # a visitor who stops soon has met their own picture


@dataclass(frozen=True, eq=False)
class Question:
    """A picture to be asked about: `jpeg` makes the exhibit's bytes."""

    item: Item
    jpeg: Callable[[], bytes]
    exposed: bool  # this visitor saw it being made
    credit: str = ""


@dataclass(frozen=True, eq=False)
class Presentation:
    """A question on the screen, and the answer that stands."""

    question: Question
    round: Round
    picture: str  # under which id this visitor's browser was shown it
    shown_at: float  # monotonic s
    guess: Guess | None = None


@dataclass(frozen=True)
class Score:
    """How often one visitor was right, of the pictures that they could not know."""

    right: int = 0
    answered: int = 0
    excluded: int = 0  # answered too, but they saw these being made

    def with_answer(self, question: Question, guess: Guess) -> "Score":
        """With one more answer."""
        if guess.exposed:
            return replace(self, excluded=self.excluded + 1)
        right = self.right + (guess.answer == question.item.truth)
        return replace(self, right=right, answered=self.answered + 1)


def question_order(
    deck: Sequence[Question], own: Question | None, rng: random.Random
) -> tuple[Question, ...]:
    """The order of a visit: the deck as it was shuffled, the visitor's own picture among the first few."""
    questions = list(deck)
    if own:
        questions.insert(rng.randrange(min(OWN_AMONG_FIRST, len(questions) + 1)), own)
    return tuple(questions)


class Quiz:
    """One visitor's questions; `show` puts a picture where their browser can fetch it."""

    def __init__(
        self, questions: Sequence[Question], store: Store, voter: VoterId, show: Callable[[bytes], str]
    ) -> None:
        self._questions = tuple(questions)
        self._store = store
        self._voter = voter
        self._show = show
        self._done = 0
        self._current: Presentation | None = None
        self._score = Score()
        self._lock = threading.RLock()  # two taps at once are one

    @property
    def position(self) -> int:
        """Which picture it is, counted from 1."""
        return self._done + 1

    @property
    def total(self) -> int:
        """How many pictures there are."""
        return len(self._questions)

    @property
    def score(self) -> Score:
        """Of the answers that were given so far."""
        return self._score

    def current(self) -> Presentation:
        """The question that stands; asking again changes nothing. Raises `VisitorError` after the last."""
        with self._lock:
            if self._current is None:
                if self._done >= self.total:
                    raise VisitorError("vote.gone")
                question = self._questions[self._done]
                picture = self._show(question.jpeg())
                round_ = self._store.round_of(question.item)
                self._current = Presentation(question, round_, picture, time.monotonic())
            return self._current

    def answer(self, kind: Kind) -> Presentation:
        """Keep the answer to the question that stands; the first one is final."""
        with self._lock:
            current = self.current()
            if current.guess is None:
                seconds, exposed = time.monotonic() - current.shown_at, current.question.exposed
                guess = Guess(current.round.id, self._voter, kind, exposed, seconds, datetime.now(UTC))
                guess = self._store.record(guess)
                current = self._current = replace(current, guess=guess)
                self._score = self._score.with_answer(current.question, guess)
            return current

    def advance(self) -> bool:
        """To the next picture, if this one was answered; False when there is none left."""
        with self._lock:
            if self._current and self._current.guess:
                if self.position >= self.total:
                    return False
                self._current, self._done = None, self._done + 1
            return True


def new_item_id() -> str:
    """An id without meaning, for a visitor's own picture."""
    return secrets.token_urlsafe(12)
