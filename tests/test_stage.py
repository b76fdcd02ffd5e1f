"""What the stage's scenes say of a making, whatever deck it comes from."""

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
from jinja2 import TemplateNotFound

from booth.album import Album
from booth.catalogue import STEPS, Catalogue, Exhibit
from booth.deck import read_deck
from pages.board import Board
from pages.charts import count_in_words
from pages.stage.scenes import Scenes
from pipelines.look import read_looks
from pipelines.measure.likeness import Level
from settings import Settings
from tests.decks import ONE, SIX, TWO, deck_of
from votes.room import Room
from votes.rounds import Scene
from votes.schema import Count, Guess, Kind, Source, VoterId
from votes.store import Store
from votes.studies import read_studies
from words import WORDS as FOLDER
from words import read_words

WORDS = read_words()
LOOK_TITLES = {name: look.title for name, look in read_looks().items()}
LOOK = 'look = "grey"\n'
PAIR = 'pair = "x"\n'
# "What the camera took", as each language would say it of a picture that was given a new backdrop.
CLAIM = re.compile(
    r"what the camera|as the camera (?:took|saw)|was die Kamera|wie die Kamera"
    r"|lo que (?:tomó|vio|captó) la cámara|ce que l.appareil|ce que la caméra"
    r"|untouched|unretouched|straight from the camera",
    re.IGNORECASE,
)


@contextmanager
def scenes_of(folder: Path, *items: str, **facts: str) -> Iterator[dict[Scene, str]]:
    """The words of each scene about the deck's first picture; `facts` as a sitting would tell them."""
    with Store("sqlite://") as store:
        catalogue = DeckWithFacts(read_deck(deck_of(folder, *items)), Album(folder / "album", 30, 12))
        catalogue.facts = facts
        services: Any = SimpleNamespace(words=WORDS, look_titles=LOOK_TITLES, board=None, settings=Settings())
        services.board = Board(Room(store, catalogue), catalogue, Settings())
        room, scenes = services.board.room, Scenes(services, read_studies(), {})
        seen: dict[Scene, str] = {}
        while room.snapshot().room.scene != Scene.ROOM:
            now = room.next()
            seen[now.room.scene] = html.unescape(scenes.html(now))
        yield seen


def answered(folder: Path, photograph: int, generated: int) -> dict[Scene, str]:
    """The words of each scene after so many answers about an AI picture."""
    with Store("sqlite://") as store:
        catalogue = Catalogue(read_deck(deck_of(folder, TWO)), Album(folder / "album", 30, 12))
        services: Any = SimpleNamespace(words=WORDS, looks=read_looks(), board=None)
        services.board = Board(Room(store, catalogue), catalogue, Settings())
        room, scenes = services.board.room, Scenes(services, read_studies(), {})
        asked = room.open().round
        for i, kind in enumerate([Kind.PHOTOGRAPH] * photograph + [Kind.GENERATED] * generated):
            voter = VoterId(f"phone {i}")
            store.record(Guess(asked.id, voter, kind, False, 1.0, datetime.now(UTC), source=Source.PHONE))
        return {
            now.room.scene: " ".join(re.sub("<.*?>", " ", html.unescape(scenes.html(now))).split())
            for now in (room.next() for _ in range(5))
        }


class DeckWithFacts(Catalogue):
    """A deck, told of as a sitting is that knows more of itself."""

    facts: dict[str, str]

    def exhibit(self, item_id: str) -> Exhibit | None:
        found = super().exhibit(item_id)
        if found:
            object.__setattr__(found, "facts", MappingProxyType({**found.facts, **self.facts}))
        return found


def test_a_scene_or_truth_without_words_of_its_own_is_shown_as_no_other(tmp_path: Path) -> None:
    with scenes_of(tmp_path, ONE) as seen:
        assert (
            len(set(seen.values())) == len(seen) == len(Scene) - 3
        )  # all but ready, no ladder, and none withdrawn
    new: Any = SimpleNamespace(value="a new one")
    with Store("sqlite://") as store:
        programme = Catalogue(read_deck(deck_of(tmp_path, ONE)), Album(tmp_path / "album", 30, 12))
        services: Any = SimpleNamespace(words=WORDS, look_titles=LOOK_TITLES, board=None, settings=Settings())
        services.board = Board(Room(store, programme), programme, Settings())
        scenes, now = Scenes(services, read_studies(), {}), services.board.room.open()
        for unknown in (
            lambda: scenes.html(replace(now, room=replace(now.room, scene=new))),
            lambda: scenes.unit(replace(now, source=new)),
            lambda: Count(1, 2).of(new),
        ):
            with pytest.raises((AssertionError, TemplateNotFound)):
                unknown()


def caption(made: str, name: str) -> str:
    """What stands below a frame."""
    found = re.search(rf"/{name}\.jpg.*?<figcaption>(.*?)</figcaption>", made)
    return " ".join(re.sub("<.*?>", " ", found[1]).split()) if found else ""


@pytest.mark.parametrize("language", [path.stem for path in sorted(FOLDER.glob("*.toml"))])
def test_no_language_calls_a_picture_what_the_camera_took(language: str) -> None:
    assert [text for text in WORDS.tables[language].values() if CLAIM.search(text)] == []


def test_the_photograph_of_a_look_is_told_to_stand_on_a_new_backdrop(tmp_path: Path) -> None:
    for items in ([ONE + LOOK], [ONE + LOOK + PAIR, TWO + LOOK + PAIR]):
        with scenes_of(tmp_path, *items) as seen:
            name, note = WORDS.say("stage.photograph"), WORDS.say("stage.photograph_note")
            assert caption(seen[Scene.MADE], "photograph") == f"{name} {note}"
            if WORDS.say("stage.was_photograph") in seen[Scene.TRUTH]:
                assert WORDS.say("stage.how_own") in seen[Scene.TRUTH]


def test_a_photograph_alone_without_a_look_is_told_to_be_a_photograph_and_no_more(tmp_path: Path) -> None:
    plain = ([ONE], [ONE + 'model_set = "mini"\nseed = 3\n'], [ONE + PAIR, TWO + PAIR])
    for items in (*plain, [ONE + PAIR, TWO + LOOK + PAIR]):  # the look is the portrait's alone
        with scenes_of(tmp_path, *items) as seen:
            told = "".join(seen.values())
            if WORDS.say("stage.was_photograph") in seen[Scene.TRUTH]:
                assert WORDS.say("stage.how_photograph") in seen[Scene.TRUTH]
            assert WORDS.say("stage.photograph_note") not in told and WORDS.say("stage.how_own") not in told
            if len(items) > 1 or "seed" in items[0]:
                assert caption(seen[Scene.MADE], "photograph") == WORDS.say("stage.photograph")


def test_a_ladder_tells_where_a_program_loses_the_sitter_only_where_they_asked(tmp_path: Path) -> None:
    levels = [
        Level.UNCHANGED,
        Level.UNCHANGED,
        Level.A_LITTLE,
        Level.CLEARLY,
        Level.A_LITTLE,
        Level.NOT_MEASURED,
    ]
    item = TWO + f"ladder = {SIX}\n"
    with scenes_of(tmp_path, item, recognised=",".join(levels)) as seen:
        told = [caption(seen[Scene.LADDER], name) for name in STEPS]
        words = [WORDS.say(f"stage.step_{level.replace(' ', '_')}") for level in levels]
        assert told == [f"{p} % {word}" for p, word in zip((85, 70, 55, 40, 25, 10), words, strict=True)]
        assert WORDS.say("stage.lost", left="40\N{NO-BREAK SPACE}%") in seen[Scene.LADDER]
        assert WORDS.say("stage.recognition_errors") in seen[Scene.LADDER]
    with scenes_of(tmp_path, item, recognised=",".join([Level.UNCHANGED] * 6)) as seen:
        assert WORDS.say("stage.kept") in seen[Scene.LADDER]
    for unasked in ({}, {"recognised": ""}, {"recognised": "unchanged"}, {"recognised": ",".join("abcdef")}):
        with scenes_of(tmp_path, item, **unasked) as seen:
            assert [caption(seen[Scene.LADDER], name) for name in STEPS] == [
                f"{p} %" for p in (85, 70, 55, 40, 25, 10)
            ]
            assert "recognition" not in seen[Scene.LADDER]


def test_no_scene_before_the_truth_names_a_frame_of_the_making(tmp_path: Path) -> None:
    making = 'seen = "a.jpg"\npose = "b.jpg"\npreview = "a.jpg"\n'
    with scenes_of(tmp_path, ONE + PAIR, TWO + PAIR + making) as seen:
        told = {scene for scene, text in seen.items() if "seen.jpg" in text or "preview.jpg" in text}
        assert told == {Scene.MADE}
        assert len(re.findall("<figure>", seen[Scene.MADE])) == 5


@pytest.mark.parametrize(
    ("language", "sentences"),
    [
        ("en", ("3 said photograph, 2 said AI.", "1 said AI, nobody said photograph.", "Nobody answered.")),
        (
            "de",
            ("3 sagten Foto, 2 sagten KI.", "1 sagte KI, niemand sagte Foto.", "Niemand hat geantwortet."),
        ),
        (
            "fr",
            (
                "3 ont dit photographie, 2 ont dit IA.",
                "1 a dit IA, personne n’a dit photographie.",
                "Personne n’a répondu.",
            ),
        ),
        (
            "es",
            (
                "3 dijeron fotografía, 2 dijeron IA.",
                "1 dijo IA, nadie dijo fotografía.",
                "Nadie respondió.",
            ),
        ),
    ],
)
def test_counts_are_told_in_the_words_of_each_language(language: str, sentences: tuple[str, ...]) -> None:
    def say(key: str, **values: object) -> str:
        return WORDS.say(key, language, **values)

    told = tuple(count_in_words(say, count) for count in (Count(3, 2), Count(0, 1), Count()))
    assert told == sentences


def test_under_ten_answers_the_stage_tells_counts_in_words_and_no_percentage(tmp_path: Path) -> None:
    few, ten = answered(tmp_path, 3, 2), answered(tmp_path, 3, 7)
    for scene in (Scene.SPLIT, Scene.TRUTH):
        assert "3 said photograph, 2 said AI." in few[scene] and "%" not in few[scene]
        assert "70 %" in ten[scene] and "said" not in ten[scene]
    assert "right in 2 of 5" in few[Scene.ROOM] and "40 %" not in few[Scene.ROOM]
    assert "70 % of 10" in ten[Scene.ROOM]
    assert "Nobody answered." in answered(tmp_path, 0, 0)[Scene.ROOM]
