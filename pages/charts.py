"""How people answered, as bars or in words: the same of a tally at the booth and on the stage."""

from collections.abc import Callable

from markupsafe import Markup

from pages import markup
from votes.schema import Count, Kind
from votes.tally import Tally

KIND_KEYS = {Kind.PHOTOGRAPH: "vote.photo", Kind.GENERATED: "vote.ai"}


def count_in_words(say: Callable[..., str], count: Count) -> str:
    """How many gave each answer, in one sentence: what people are told where a share would mislead."""
    if not count.answers:
        return say("tally.none")
    first, last = sorted(Kind, key=lambda kind: not count.of(kind))  # who nobody agreed with comes last
    return say("tally.both", first=_said(say, first, count.of(first)), last=_said(say, last, count.of(last)))


def _said(say: Callable[..., str], kind: Kind, n: int) -> str:
    """That so many gave that answer."""
    number = {0: "_none", 1: "_one"}.get(n, "")
    return say(f"tally.{kind.value}{number}", n=n)


def split_chart(say: Callable[..., str], title: str, tally: Tally) -> Markup:
    """Both shares with their interval, and the same in one sentence. `say` makes a sentence of its key.

    Raises `ValueError` without any answer.
    """
    shares = {kind: tally.share(kind) for kind in Kind}
    percent = {kind: round(100 * share.value) for kind, share in shares.items()}
    rows = [
        markup.Row(
            kind.value,
            say(KIND_KEYS[kind]),
            say("vote.share", p=percent[kind], n=tally.answers),
            *(share.value, share.low, share.high),
        )
        for kind, share in shares.items()
    ]
    photo = shares[Kind.PHOTOGRAPH]
    sentence = say(
        "vote.chart",
        photo=percent[Kind.PHOTOGRAPH],
        ai=percent[Kind.GENERATED],
        n=tally.answers,
        low=round(100 * photo.low),
        high=round(100 * photo.high),
    )
    return markup.bars(title, rows, sentence)
