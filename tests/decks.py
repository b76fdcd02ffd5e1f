"""Small decks in a folder of one's own: two pictures, and `deck.toml` as its items are written."""

from pathlib import Path

from PIL import Image

from tests.hostile import card

ONE = 'file = "a.jpg"\ntruth = "photograph"\ncredit = "Me"\nlicence = "Mine"\n'
TWO = ONE.replace("a.jpg", "b.jpg").replace("photograph", "generated")
SIX = ["a.jpg", "b.jpg"] * 3  # a ladder's pictures


def deck_of(folder: Path, *items: str) -> Path:
    """Write it. `a.jpg` and `b.jpg` are 640 x 800 px."""
    Image.fromarray(card(640, 800)).save(folder / "a.jpg")
    Image.fromarray(card(640, 800)[::-1]).save(folder / "b.jpg")
    (folder / "deck.toml").write_text("".join(f"[[item]]\n{item}" for item in items), encoding="utf-8")
    return folder
