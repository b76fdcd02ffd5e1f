"""Decks: what may be asked about, and that nothing tells how it was made."""

import io
import random
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from booth.album import Album
from booth.deck import read_deck
from booth.programme import Programme
from errors import PresetError
from examples.deck import CREDITS
from examples.deck import sitting as drawn_anew
from pipelines.exhibit import exhibit
from pipelines.face import FaceFinder
from pipelines.generate import Generator
from pipelines.ladder import RUNGS
from pipelines.look import read_looks
from pipelines.model_set import is_here, read_model_sets
from pipelines.photo import Photo
from pipelines.provenance import mark, read_mark
from pipelines.studio import Studio
from tests.hostile import card
from votes.schema import Kind

STARTER = Path(__file__).parent.parent / "examples" / "deck"
ONE = 'file = "a.jpg"\ntruth = "photograph"\ncredit = "Me"\nlicence = "Mine"\n'
TWO = ONE.replace("a.jpg", "b.jpg").replace("photograph", "generated")


SIX = ["a.jpg", "b.jpg"] * 3


def deck_of(folder: Path, *items: str) -> Path:
    Image.fromarray(card(640, 800)).save(folder / "a.jpg")
    Image.fromarray(card(640, 800)[::-1]).save(folder / "b.jpg")
    (folder / "deck.toml").write_text("".join(f"[[item]]\n{item}" for item in items))
    return folder


def test_an_operators_own_folder_is_a_deck(tmp_path: Path) -> None:
    deck = read_deck(deck_of(tmp_path, ONE, TWO))
    cards = deck.draw(random.Random(1))
    assert sorted(card.item.truth for card in cards) == sorted(Kind)
    assert [card.credit for card in cards] == ["Me", "Me"]
    assert deck.size == (640, 800)


def test_a_visitor_sees_one_of_a_pair_either_by_chance(tmp_path: Path) -> None:
    deck = read_deck(deck_of(tmp_path, ONE + 'pair = "x"\n', TWO + 'pair = "x"\n'))
    rng = random.Random(1)
    drawn = [deck.draw(rng) for _ in range(40)]
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
        programme = Programme(deck, Album(tmp_path / "album", 30, 12))
        cards = [card for group in deck.groups for card in group if programme.has_ladder(card.item.id)]
        assert {card.item.truth for card in cards} == expected
        assert {card.path.name for card in cards} <= {"a.jpg", "b.jpg"} and len(cards) == len(expected)


def test_the_order_is_of_chance() -> None:
    deck, rng = read_deck(STARTER), random.Random(3)
    orders = {tuple(card.item.look for card in deck.draw(rng)) for _ in range(10)}
    assert len(orders) == 10


def test_both_truths_go_through_the_same_crop_size_and_encoder(tmp_path: Path) -> None:
    folder = deck_of(tmp_path, ONE, TWO)
    Image.new("RGB", (500, 900), "grey").save(folder / "a.jpg", quality=30)
    (folder / "b.jpg").write_bytes(mark(card(1200, 900), "generated", format="JPEG"))
    deck = read_deck(folder)
    files = [deck.jpeg(card) for card in deck.draw(random.Random(1))]
    images = [Image.open(io.BytesIO(file)) for file in files]
    assert {image.size for image in images} == {(500, 625)}
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
        (ONE.replace("a.jpg", "nosuch.jpg"), r"item\.0\.file = 'nosuch\.jpg'\. This is not a picture"),
        (ONE.replace("a.jpg", "text.jpg"), r"item\.0\.file = 'text\.jpg'\. This is not a picture"),
        (ONE.replace("a.jpg", "tiny.png"), r"item\.0\.file = 'tiny\.png'\. It is 60 x 60 px"),
        (ONE.replace("a.jpg", "link.jpg"), r"item\.0\.file = 'link\.jpg'\. A deck's pictures lie in"),
        (ONE + 'start = "middle"\n', r"item\.0\.start = 'middle'"),
        (ONE + "[[item]]\n" + ONE, "listed twice"),
        (TWO + f"ladder = {SIX[:5]}\n", r"item\.0\.ladder.*A ladder has 6 pictures"),
        (ONE + f"ladder = {SIX}\n", r"item\.0\.ladder.*A ladder belongs to a generated picture"),
        (
            TWO + f"ladder = {[*SIX[:5], 'none.jpg']}\n",
            r"item\.0\.ladder = 'none\.jpg'\. This is not a picture",
        ),
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


def test_a_folder_without_a_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PresetError, match=r"^FACE_VALUE_DECK = .*holds no deck\.toml"):
        read_deck(tmp_path)


# ---- the starter deck


def test_the_starter_deck_holds_both_sitters_in_all_six_looks_as_twelve_pairs() -> None:
    deck = read_deck(STARTER)
    assert [sorted(card.item.truth for card in group) for group in deck.groups] == [sorted(Kind)] * 12
    seen = Counter((card.item.look, card.credit.split(".")[0]) for group in deck.groups for card in group)
    assert set(seen) == {
        (look, sitter) for look in read_looks() for sitter in ("Eileen Collins", "Grace Hopper")
    }
    assert {card.item.rehearsal for group in deck.groups for card in group} == {True}
    ladders = [(card.item.look, len(card.ladder)) for group in deck.groups for card in group if card.ladder]
    assert ladders == [("grey", len(RUNGS))] * 2


def test_nothing_of_its_files_tells_the_truth() -> None:
    deck = read_deck(STARTER)
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
    made = drawn_anew(astronaut, read_looks()["grey"], finder, studio, Generator(model_set, "cpu"))
    group = [
        one
        for group in read_deck(STARTER).groups
        for one in group
        if one.item.look == "grey" and one.credit.startswith(CREDITS["collins"])
    ]
    kept = {one.item.truth: np.asarray(Image.open(one.path)).astype(int) for one in group}
    anew = {
        kind: np.asarray(Image.open(io.BytesIO(jpeg))).astype(int)
        for kind, jpeg in zip(Kind, made, strict=True)
    }
    for kind in Kind:
        assert np.abs(kept[kind] - anew[kind]).mean() < 2
    other = np.abs(kept[Kind.PHOTOGRAPH] - anew[Kind.GENERATED]).mean()
    assert other > 2 * np.abs(kept[Kind.PHOTOGRAPH] - anew[Kind.PHOTOGRAPH]).mean()


def test_an_exhibit_of_a_photo_survives_being_encoded_again() -> None:
    once = exhibit(card(256, 320), (256, 320))
    twice = exhibit(np.asarray(Image.open(io.BytesIO(once))), (256, 320))
    assert len(once) == len(twice)
