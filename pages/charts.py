"""How people answered, as bars: the same picture of a tally at the booth and on the stage."""

from collections.abc import Callable

from markupsafe import Markup

from pages import markup
from votes.schema import Kind
from votes.tally import Tally

KIND_KEYS = {Kind.PHOTOGRAPH: "vote.photo", Kind.GENERATED: "vote.ai"}


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
