"""Small decks in a folder of one's own: two pictures, and `deck.toml` as its items are written.

And the decks that come with the booth, which nobody changes: each is read once for all tests of a worker.
"""

from functools import cache
from pathlib import Path

from PIL import Image

from booth.deck import read_deck
from tests.hostile import card

STARTER = Path(__file__).parent.parent / "examples" / "deck"
# Reading decodes every picture: half a second for the starter's.
read_once = cache(read_deck)

ONE = 'file = "a.jpg"\ntruth = "photograph"\ncredit = "Me"\nlicence = "Mine"\n'
TWO = ONE.replace("a.jpg", "b.jpg").replace("photograph", "generated")
SIX = ["a.jpg", "b.jpg"] * 3  # a ladder's pictures


def deck_of(folder: Path, *items: str) -> Path:
    """Write it. `a.jpg` and `b.jpg` are 640 x 800 px."""
    Image.fromarray(card(640, 800)).save(folder / "a.jpg")
    Image.fromarray(card(640, 800)[::-1]).save(folder / "b.jpg")
    (folder / "deck.toml").write_text("".join(f"[[item]]\n{item}" for item in items), encoding="utf-8")
    return folder
