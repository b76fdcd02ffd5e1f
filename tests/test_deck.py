"""Decks: what may be asked about, and that nothing tells how it was made."""

import io
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from booth.album import Album
from booth.catalogue import FRAMES, Catalogue
from booth.deck import read_deck
from errors import PresetError
from examples.deck import CREDITS
from examples.deck import sheet as drawn_anew
from pages.look_pictures import WELCOME_FACE, WELCOME_LOOK, face_of
from pipelines.draw.generate import Generator
from pipelines.draw.machine import is_here
from pipelines.draw.model_set import read_model_sets
from pipelines.exhibit import EXHIBIT, exhibits
from pipelines.ladder import RUNGS
from pipelines.look import read_looks
from pipelines.marks.note import mark, read_mark
from pipelines.plate.studio import Studio
from pipelines.selfie.face import FaceFinder
from pipelines.selfie.photo import Photo, open_photo
from tests.decks import ONE, SIX, STARTER, TWO, deck_of, read_once
from tests.hostile import card
from votes.room import Room
from votes.rounds import Scene
from votes.schema import Kind
from votes.store import Store
from words import read_words


def test_an_operators_own_folder_is_a_deck(tmp_path: Path) -> None:
    deck = read_deck(deck_of(tmp_path, ONE, TWO))
    cards = deck.shuffle_cards(random.Random(1))
    assert sorted(card.item.truth for card in cards) == sorted(Kind)
    assert [card.credit for card in cards] == ["Me", "Me"]
    assert deck.size == (640, 800)


def test_a_visitor_sees_one_of_a_pair_either_by_chance(tmp_path: Path) -> None:
    deck = read_deck(deck_of(tmp_path, ONE + 'pair = "x"\n', TWO + 'pair = "x"\n'))
    rng = random.Random(1)
    drawn = [deck.shuffle_cards(rng) for _ in range(40)]
    assert {len(cards) for cards in drawn} == {1}
    assert {cards[0].item.truth for cards in drawn} == set(Kind)


def test_a_ladder_is_that_of_its_portrait_and_of_the_photograph_beside_it(tmp_path: Path) -> None:
    paired = 'pair = "x"\n'
    other = TWO.replace("b.jpg", "a.jpg") + paired
    for items, expected in (
        ([ONE + paired, TWO + paired + f"ladder = {SIX}\n"], {Kind.PHOTOGRAPH, Kind.GENERATED}),
        ([TWO + f"ladder = {SIX}\n", ONE], {Kind.GENERATED}),
        ([other, TWO + paired + f"ladder = {SIX}\n"], {Kind.GENERATED}),
    ):
        deck = read_deck(deck_of(tmp_path, *items))
        catalogue = Catalogue(deck, Album(tmp_path / "album", 30, 12))
        cards = [card for group in deck.groups for card in group if catalogue.has_ladder(card.item.id)]
        assert {card.item.truth for card in cards} == expected
        assert {card.path.name for card in cards} <= {"a.jpg", "b.jpg"} and len(cards) == len(expected)


def test_what_it_saw_the_pose_and_the_half_drawn_picture_are_frames_of_the_making(tmp_path: Path) -> None:
    paired, making = 'pair = "x"\n', 'seen = "a.jpg"\npose = "b.jpg"\npreview = "a.jpg"\n'
    for more, expected in (("", ["photograph", "portrait"]), (making, list(FRAMES))):
        deck = read_deck(deck_of(tmp_path, ONE + paired, TWO + paired + more))
        catalogue = Catalogue(deck, Album(tmp_path / "album", 30, 12))
        for one in deck.groups[0]:  # asked about either of the two
            found = catalogue.exhibit(one.item.id)
            assert found and [name for name in FRAMES if name in found.frames] == expected
            for name, file in zip(expected[1:-1], ("a.jpg", "b.jpg", "a.jpg"), strict=False):
                assert np.array_equal(found.frames[name]().pixels, open_photo(tmp_path / file).pixels)


def test_the_making_of_a_portrait_shows_that_portrait_and_no_other_of_its_sitter(tmp_path: Path) -> None:
    other = TWO.replace("b.jpg", "a.jpg")
    deck = read_deck(deck_of(tmp_path, *(one + 'pair = "x"\n' for one in (TWO, other))))
    catalogue = Catalogue(deck, Album(tmp_path / "album", 30, 12))
    for one in deck.groups[0]:
        found = catalogue.exhibit(one.item.id)
        assert found and np.array_equal(found.frames["portrait"]().pixels, open_photo(one.path).pixels)


def test_the_order_is_of_chance() -> None:
    deck, rng = read_once(STARTER), random.Random(3)
    orders = {tuple(card.item.look for card in deck.shuffle_cards(rng)) for _ in range(10)}
    assert len(orders) == 10


def test_both_truths_go_through_the_same_crop_size_and_encoder(tmp_path: Path) -> None:
    folder = deck_of(tmp_path, ONE, TWO)
    Image.new("RGB", (500, 900), "grey").save(folder / "a.jpg", quality=30)
    (folder / "b.jpg").write_bytes(mark(card(1200, 900), "generated", format="JPEG"))
    deck = read_deck(folder)
    files = [deck.jpeg(card) for card in deck.shuffle_cards(random.Random(1))]
    images = [Image.open(io.BytesIO(file)) for file in files]
    assert deck.size == (500, 625) and {image.size for image in images} == {EXHIBIT}
    assert len({str(image.quantization) for image in images}) == 1  # type: ignore[attr-defined]
    assert [read_mark(file) for file in files] == [None, None]
    assert len({len(file) % 1000 for file in files}) == 1 or len({len(file) for file in files}) <= 2


@pytest.mark.parametrize(
    ("item", "told"),
    [
        (ONE.replace("photograph", "real"), r"item\.0\.truth = 'real'"),
        (ONE + 'camera = "x"\n', r"item\.0\.camera"),
        (ONE.replace('credit = "Me"\n', ""), r"item\.0\.credit is missing"),
        (ONE.replace("a.jpg", "../a.jpg"), r"item\.0\.file = '\.\./a\.jpg'"),
        (ONE.replace("a.jpg", "/etc/passwd"), r"item\.0\.file"),
        (
            ONE.replace("a.jpg", "nosuch.jpg"),
            r"item\.0\.file = 'nosuch\.jpg'\. There is no file of that name",
        ),
        (ONE.replace("a.jpg", "text.jpg"), r"item\.0\.file = 'text\.jpg'\. This file is not a photo"),
        (ONE.replace("a.jpg", "tiny.png"), r"item\.0\.file = 'tiny\.png'\. It is 60 x 60 px"),
        (ONE.replace("a.jpg", "link.jpg"), r"item\.0\.file = 'link\.jpg'\. A deck's pictures lie in"),
        (ONE + 'start = "middle"\n', r"item\.0\.start = 'middle'"),
        (ONE + "[[item]]\n" + ONE, "listed twice"),
        (TWO + f"ladder = {SIX[:5]}\n", r"item\.0\.ladder.*A ladder has 6 pictures"),
        (ONE + f"ladder = {SIX}\n", r"item\.0\.ladder.*A ladder belongs to a generated picture"),
        (
            TWO + f"ladder = {[*SIX[:5], 'none.jpg']}\n",
            r"item\.0\.ladder = 'none\.jpg'\. There is no file",
        ),
        (ONE + 'seen = "b.jpg"\n', r"item\.0\.seen = 'b\.jpg'.*belong to a generated picture"),
        (ONE + 'preview = "b.jpg"\n', r"item\.0\.preview = 'b\.jpg'.*belong to a generated picture"),
        (TWO + 'pose = "../b.jpg"\n', r"item\.0\.pose = '\.\./b\.jpg'"),
        (TWO + 'pose = "none.jpg"\n', r"item\.0\.pose = 'none\.jpg'\. There is no file"),
        (TWO + 'seen = "tiny.png"\n', r"item\.0\.seen = 'tiny\.png'\. It is 60 x 60 px"),
        (TWO + 'preview = "link.jpg"\n', r"item\.0\.preview = 'link\.jpg'\. A deck's pictures lie in"),
        ("x", "deck.toml: "),
    ],
)
def test_a_wrong_deck_is_refused_by_file_key_and_value(tmp_path: Path, item: str, told: str) -> None:
    outside = tmp_path / "outside.jpg"
    folder = tmp_path / "deck"
    folder.mkdir()
    Image.fromarray(card(640, 800)).save(outside)
    (folder / "text.jpg").write_text("no picture")
    Image.new("RGB", (60, 60)).save(folder / "tiny.png")
    (folder / "link.jpg").symlink_to(outside)
    with pytest.raises(PresetError, match=rf"^deck\.toml: .*{told}|{told}") as error:
        read_deck(deck_of(folder, item))
    assert str(tmp_path) not in str(error.value)


NAMES = {
    "as it is": ("a81.jpg", "a81.jpg"),
    "spaces and brackets": ("Ada (2) [final], b & c.jpg", "Ada (2) [final], b & c.jpg"),
    "an apostrophe": ("Ada's.jpg", "Ada's.jpg"),
    "capitals": ("A81.JPG", "A81.JPG"),
    "capitals in the list": ("a81.jpg", "A81.JPG"),
    "composed in the list": (
        unicodedata.normalize("NFD", "José.jpg"),
        unicodedata.normalize("NFC", "José.jpg"),
    ),
    "composed on the disk": (
        unicodedata.normalize("NFC", "José.jpg"),
        unicodedata.normalize("NFD", "José.jpg"),
    ),
    "no letters of ours": ("写真.jpg", "写真.jpg"),
}


@pytest.mark.parametrize("kind", NAMES)
def test_a_file_is_found_by_the_name_that_people_see(tmp_path: Path, kind: str) -> None:
    on_disk, in_list = NAMES[kind]
    folder = deck_of(tmp_path, ONE.replace('"a.jpg"', f'"{in_list}"'))
    (folder / "a.jpg").rename(folder / on_disk)
    ((card_,),) = read_deck(folder).groups
    assert read_deck(folder).jpeg(card_)


@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_list_of_any_editor_is_read(tmp_path: Path, start: str, end: str) -> None:
    folder = deck_of(tmp_path, ONE, TWO)
    text = start + (folder / "deck.toml").read_text().replace("\n", end)
    (folder / "deck.toml").write_bytes(text.encode())
    assert len(read_deck(folder).groups) == 2


def large(folder: Path) -> None:
    """61 megapixels."""
    Image.new("L", (7809, 7812)).save(folder / "a.jpg", quality=5)


def heavy(folder: Path) -> None:
    """13.8 MB: behind the end of a JPEG anything may stand."""
    whole = (folder / "a.jpg").read_bytes()
    (folder / "a.jpg").write_bytes(whole + bytes(13_800_000 - len(whole)))


UNSHOWABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "AVIF": (lambda folder: (folder / "a.jpg").write_bytes(b"\0\0\0\x1cftypavif" + bytes(200)), "file.type"),
    "61 megapixels": (large, "file.pixels"),
    "13.8 MB": (heavy, "file.big"),
    "cut off": (
        lambda folder: (folder / "a.jpg").write_bytes((folder / "a.jpg").read_bytes()[:900]),
        "file.broken",
    ),
    "moving": (
        lambda folder: Image.new("RGB", (640, 800)).save(
            folder / "a.jpg", "WEBP", save_all=True, append_images=[Image.new("RGB", (640, 800), "red")]
        ),
        "file.moving",
    ),
}


@pytest.mark.parametrize("kind", UNSHOWABLE)
def test_what_cannot_be_shown_is_refused_before_the_room_is_there(tmp_path: Path, kind: str) -> None:
    spoil, key = UNSHOWABLE[kind]
    folder = deck_of(tmp_path, ONE, TWO)
    spoil(folder)
    values = {"mp": 50, "mb": 12}
    with pytest.raises(PresetError) as error:
        read_deck(folder)
    assert str(error.value) == f"deck.toml: item.0.file = 'a.jpg'. {read_words().say(key, **values)}"


def test_every_file_that_is_wrong_is_named(tmp_path: Path) -> None:
    items = [ONE.replace("a.jpg", f"{i}.jpg") for i in range(7)]
    with pytest.raises(PresetError) as error:
        read_deck(deck_of(tmp_path, *items))
    assert [f"'{i}.jpg'" in str(error.value) for i in range(7)] == [True] * 5 + [False] * 2
    assert str(error.value).endswith("And 2 more.")


def test_a_picture_that_breaks_later_is_skipped_and_the_host_hears_of_it(tmp_path: Path) -> None:
    catalogue = Catalogue(read_deck(deck_of(tmp_path, ONE, TWO)), Album(tmp_path / "none", 30, 12))
    with Store("sqlite://") as store:
        room = Room(store, catalogue)
        shown = room.open().room
        (tmp_path / "a.jpg").write_bytes(b"")
        assert catalogue.jpeg(str(shown.item)) is None
        after = room.latest.renew().room
        assert after.item not in (shown.item, None) and shown.item not in after.programme
        assert catalogue.broken() == ("a.jpg",)


def test_another_deck_is_another_programme_and_a_changed_one_goes_on(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("first", "second", "changed")]
    for folder in folders:
        folder.mkdir()
    first, changed = deck_of(folders[0], ONE, TWO), deck_of(folders[2], TWO, ONE.replace("a.jpg", "c.jpg"))
    second = deck_of(folders[1], ONE.replace("a.jpg", "d.jpg"))
    for name, folder, value in (("c.jpg", changed, 90), ("d.jpg", second, 160)):
        Image.new("L", (640, 800), value).save(folder / name)

    def items(folder: Path) -> list[str]:
        return [card.item.id for group in read_deck(folder).groups for card in group]

    with Store("sqlite://") as store:

        def start(folder: Path) -> Room:
            return Room(store, Catalogue(read_deck(folder), Album(tmp_path / "none", 30, 12)))

        room = start(first)
        room.go_to(items(first)[1])
        shown = room.open().room
        assert start(first).snapshot().room == shown  # a restart changes nothing
        after = start(changed).snapshot().room
        assert (after.item, after.scene, after.round_id) == (shown.item, shown.scene, shown.round_id)
        assert set(after.programme) == set(items(changed))
        other = start(second)
        assert (other.snapshot().room.programme, other.snapshot().room.scene) == (
            tuple(items(second)),
            Scene.READY,
        )
        assert other.open().round  # and it can be asked


def test_a_folder_without_a_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PresetError, match=r"^FACE_VALUE_DECK = .*holds no deck\.toml"):
        read_deck(tmp_path)


# ---- the starter deck


def test_the_starter_deck_holds_each_sitter_in_three_looks_as_six_pairs() -> None:
    deck = read_once(STARTER)
    assert [sorted(card.item.truth for card in group) for group in deck.groups] == [sorted(Kind)] * 6
    cards = [card for group in deck.groups for card in group]
    seen = Counter((card.item.look, card.credit.split(".")[0]) for card in cards)
    assert {look for look, _ in seen} <= set(read_looks()) and len(seen) == 6 and set(seen.values()) == {2}
    assert Counter(sitter for _, sitter in seen) == {"Eileen Collins": 3, "Grace Hopper": 3}
    assert {card.item.rehearsal for card in cards} == {True}
    drawn = [card for card in cards if card.item.truth == Kind.GENERATED]
    assert [len(card.making) for card in drawn] == [3] * 6  # what it saw, the pose it keeps, half way
    assert sorted(len(card.ladder) for card in drawn) == [0] * 4 + [len(RUNGS)] * 2


def test_the_starter_decks_pictures_are_as_large_as_a_sittings() -> None:
    deck = read_once(STARTER)
    assert deck.size == EXHIBIT
    cards = [card for group in deck.groups for card in group]
    assert {Image.open(io.BytesIO(step.read_bytes())).size for card in cards for step in card.ladder} == {
        EXHIBIT
    }


def test_nobody_is_shown_a_sitter_in_the_look_that_is_asked_about_before_the_question() -> None:
    asked = {
        (card.entry.pair.split()[0], card.item.look) for group in read_once(STARTER).groups for card in group
    }
    names = {"astronaut": "collins", "hopper": "hopper"}
    shown = {(names[face_of(look)], look) for look in read_looks()}
    shown.add((names[WELCOME_FACE], WELCOME_LOOK))
    assert len(asked) == 6 and not asked & shown


def test_nothing_of_its_files_tells_the_truth() -> None:
    deck = read_once(STARTER)
    traces: dict[Kind, set[str]] = {kind: set() for kind in Kind}
    for one in [one for group in deck.groups for one in group]:
        assert re.fullmatch(r"[0-9a-f]{8}\.jpg", one.path.name)
        for file in (one.path.read_bytes(), deck.jpeg(one)):
            image = Image.open(io.BytesIO(file))
            tables = image.quantization  # type: ignore[attr-defined]
            traces[one.item.truth].add(f"{len(file)} {image.size} {tables} {sorted(image.info)}")
    assert traces[Kind.PHOTOGRAPH] == traces[Kind.GENERATED]
    assert len(traces[Kind.PHOTOGRAPH]) == 1


def test_its_pictures_are_what_the_script_makes(astronaut: Photo, finder: FaceFinder, studio: Studio) -> None:
    model_set = read_model_sets()["mini"]
    if not is_here(model_set):
        pytest.skip("weights/mini is not in this checkout")
    look = read_looks()["corporate"]  # which has no ladder in the deck, and none is drawn
    made = drawn_anew(astronaut, look, finder, studio, Generator(model_set, "cpu"))
    group = [
        one
        for group in read_once(STARTER).groups
        for one in group
        if one.item.look == look.name and one.credit.startswith(CREDITS["collins"])
    ]
    kept = {one.item.truth: np.asarray(Image.open(one.path)).astype(int) for one in group}
    anew = {
        kind: np.asarray(Image.open(io.BytesIO(jpeg))).astype(int) for kind, jpeg in made.exhibits.items()
    }
    for kind in Kind:
        assert np.abs(kept[kind] - anew[kind]).mean() < 2
    other = np.abs(kept[Kind.PHOTOGRAPH] - anew[Kind.GENERATED]).mean()
    assert other > 2 * np.abs(kept[Kind.PHOTOGRAPH] - anew[Kind.PHOTOGRAPH]).mean()


def test_an_exhibit_of_a_photo_survives_being_encoded_again() -> None:
    (once,) = exhibits([card(256, 320)], (256, 320))
    (twice,) = exhibits([np.asarray(Image.open(io.BytesIO(once)))], (256, 320))
    assert len(once) == len(twice)
