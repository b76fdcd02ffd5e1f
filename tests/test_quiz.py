"""What one visitor is asked, and in which order."""

import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booth.quiz import OWN_AMONG_FIRST, Question, Quiz, Score, new_item_id, question_order
from errors import VisitorError
from votes.schema import Item, Kind, VoterId
from votes.store import Store


def question(truth: Kind = Kind.GENERATED, exposed: bool = False) -> Question:
    item = Item(new_item_id(), truth, "grey", "mini", "plate", rehearsal=True)
    return Question(item, lambda: truth.value.encode(), exposed)


@pytest.fixture
def store() -> Iterator[Store]:
    with Store("sqlite://") as store:
        yield store


class Browser:
    """Stands where the album stands: remembers what it was given."""

    def __init__(self) -> None:
        self.pictures: list[bytes] = []

    def __call__(self, jpeg: bytes) -> str:
        self.pictures.append(jpeg)
        return f"picture-{len(self.pictures)}"


def quiz_of(store: Store, *questions: Question, voter: str = "ada") -> tuple[Quiz, Browser]:
    browser = Browser()
    return Quiz(questions, store, VoterId(voter), browser), browser


def test_a_question_stands_until_it_is_answered_and_shows_its_picture_once(store: Store) -> None:
    quiz, browser = quiz_of(store, question(), question(Kind.PHOTOGRAPH))
    assert quiz.current() is quiz.current()
    assert quiz.advance()  # not answered: nothing happens
    assert (quiz.position, quiz.total) == (1, 2)
    assert browser.pictures == [b"generated"]


def test_the_first_answer_is_final(store: Store) -> None:
    quiz, _ = quiz_of(store, question())
    first = quiz.answer(Kind.PHOTOGRAPH)
    again = quiz.answer(Kind.GENERATED)
    assert again.guess is not None
    assert (again.guess, again.guess.answer) == (first.guess, Kind.PHOTOGRAPH)
    assert len(store.guesses()) == 1


def test_after_an_answer_comes_the_next_picture_and_two_taps_are_one(store: Store) -> None:
    quiz, browser = quiz_of(store, question(), question(), question())
    quiz.answer(Kind.GENERATED)
    assert quiz.advance()
    assert quiz.advance()
    assert quiz.position == 2
    assert quiz.current().picture == "picture-2"
    assert len(browser.pictures) == 2


def test_after_the_last_there_is_none(store: Store) -> None:
    quiz, _ = quiz_of(store, question())
    quiz.answer(Kind.GENERATED)
    assert not quiz.advance()
    with pytest.raises(VisitorError) as failure:
        quiz_of(store)[0].current()
    assert failure.value.key == "vote.gone"


def test_everyone_asked_about_the_same_picture_answers_the_same_round(store: Store) -> None:
    same = question()
    ada, _ = quiz_of(store, same, voter="ada")
    bob, _ = quiz_of(store, same, voter="bob")
    round_id = ada.answer(Kind.GENERATED).round.id
    assert bob.answer(Kind.PHOTOGRAPH).round.id == round_id
    assert store.count(round_id).answers == 2


def test_who_saw_the_making_is_counted_apart(store: Store) -> None:
    quiz, _ = quiz_of(store, question(exposed=True))
    round_id = quiz.answer(Kind.GENERATED).round.id
    assert store.count(round_id, exposed=True).answers == 1
    assert store.count(round_id, exposed=False).answers == 0


def test_the_score_counts_each_answer_once_and_what_was_seen_being_made_apart(store: Store) -> None:
    truths = (Kind.GENERATED, Kind.PHOTOGRAPH, Kind.PHOTOGRAPH)
    quiz, _ = quiz_of(store, *map(question, truths), question(exposed=True))
    assert quiz.score == Score()
    for _ in truths:
        quiz.answer(Kind.PHOTOGRAPH)
        quiz.answer(Kind.GENERATED)  # a second tap changes nothing
        quiz.advance()
    assert quiz.score == Score(right=2, answered=3)
    quiz.answer(Kind.GENERATED)
    assert quiz.score == Score(right=2, answered=3, excluded=1)


@given(st.integers(0, 20), st.integers())
def test_a_visitors_own_picture_comes_early_and_the_deck_keeps_its_order(cards: int, seed: int) -> None:
    deck, own = [question() for _ in range(cards)], question(exposed=True)
    order = question_order(deck, own, random.Random(seed))
    assert order.index(own) < OWN_AMONG_FIRST
    assert [picture for picture in order if picture is not own] == deck


def test_the_place_of_a_visitors_own_picture_is_not_always_the_same() -> None:
    deck, own = [question() for _ in range(12)], question(exposed=True)
    places = {question_order(deck, own, random.Random(seed)).index(own) for seed in range(50)}
    assert places == set(range(OWN_AMONG_FIRST))
