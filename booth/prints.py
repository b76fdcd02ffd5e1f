"""A sitting's portraits as prints: signed files in the album, and what may be asked and shown about each.

Each portrait stands beside the photograph in its own light and crop. A round is about the portrait as it was
drawn: the one with the photograph's skin tone would answer another question.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from booth.catalogue import Pair
from booth.making import Portraits
from booth.quiz import Question, new_item_id
from booth.records import PictureId
from booth.take_home import Keepsake
from booth.visit import Visit
from pipelines.arrays import Pixels
from pipelines.draw.generate import Generator
from pipelines.exhibit import exhibit, pair
from pipelines.marks.signing import Signer, drawn_from
from pipelines.order import Order
from pipelines.sitting import Portrait
from votes.schema import Item, Kind

FRAME = (640, 800)  # px, of what the stage explains a making with


@dataclass(frozen=True, eq=False)
class Traces:
    """What is kept of a drawing to explain it by, JPEG: of all portraits, and each when it was half done."""

    common: Mapping[str, bytes]
    half_way: Mapping[int, bytes]  # by the portrait's index


def least_changed_first(portraits: Sequence[Portrait]) -> tuple[Portrait, ...]:
    """In the order in which people see them; where nothing could be measured, last."""
    return tuple(
        sorted(portraits, key=lambda drawn: drawn.likeness.total_change if drawn.likeness else math.inf)
    )


def explain(pixels: Pixels) -> bytes:
    """A picture of the making, as the stage shows it."""
    return exhibit(pixels, FRAME)


class Printer:
    """Makes the prints of one sitting."""

    def __init__(self, signer: Signer, visit: Visit, order: Order, generator: Generator) -> None:
        self._signer = signer
        self._visit = visit
        self._order = order
        self._generator = generator
        self._model_set = generator.model_set

    def print_all(
        self, drawn: Sequence[Portrait], traces: Traces, lacked: str
    ) -> tuple[Portraits, tuple[dict[Kind, Question], ...]]:
        """All of them, least changed first, and the questions that may be asked about each pair.

        `lacked` says why the small model stood in. Raises `VisitorError` when the visit is over.
        """
        portraits = least_changed_first(drawn)
        photographs, pictures, tone_matched = [], [], []
        for number, portrait in enumerate(portraits, 1):
            plate = self._signer.sign(portrait.setup.plate.pixels, "plate", format="JPEG")
            photographs.append(self._visit.keep(plate, Keepsake.PHOTOGRAPH.file_name(number)))
            pictures.append(self._visit.keep(self.sign(portrait), Keepsake.PORTRAIT.file_name(number)))
            tone_matched.append(self._tone_matched(portrait, number))
        questions = tuple(self._questions(portrait) for portrait in portraits)
        both = zip(questions, portraits, strict=True)
        prints = Portraits(
            order=self._order,
            photographs=tuple(photographs),
            portraits=tuple(pictures),
            tone_matched=tuple(tone_matched),
            pairs=tuple(self._pair(asked, portrait, traces) for asked, portrait in both),
            likeness=tuple(portrait.likeness for portrait in portraits),
            shots=tuple(portrait.setup.shot for portrait in portraits),
            mouth_moved=any(portrait.setup.is_moved for portrait in portraits),
            lacked=lacked,
        )
        return prints, questions

    def sign(self, portrait: Portrait, pixels: Pixels | None = None) -> bytes:
        """The portrait as a JPEG that says how it was made; `pixels` instead of its own."""
        image = portrait.image if pixels is None else pixels
        made = drawn_from(portrait.rendering.start, self._model_set)
        return self._signer.sign(image, made, self._model_set, format="JPEG")

    def _tone_matched(self, portrait: Portrait, number: int) -> PictureId | None:
        if portrait.tone_matched is None:
            return None
        jpeg = self._signer.sign(portrait.tone_matched, "tone_matched", self._model_set, format="JPEG")
        return self._visit.keep(jpeg, Keepsake.SKIN_TONE.file_name(number))

    def _questions(self, portrait: Portrait) -> dict[Kind, Question]:
        """What may be asked about a portrait, and about its plate: who sees it was there when it was made."""
        files = pair(portrait.setup.plate.pixels, portrait.image, self._model_set)
        return {
            kind: Question(self._item(kind, portrait), partial(bytes, jpeg), exposed=True)
            for kind, jpeg in zip((Kind.PHOTOGRAPH, Kind.GENERATED), files, strict=True)
        }

    def _pair(self, questions: Mapping[Kind, Question], portrait: Portrait, traces: Traces) -> Pair:
        """What a room could be asked about one portrait and the photograph beside it."""
        rendering, model_set = portrait.rendering, self._model_set
        frames = dict(traces.common)
        if "pose" in model_set.capabilities:
            frames["pose"] = explain(portrait.setup.pose.image)
        if rendering.seed == self._order.seeds[rendering.index] and rendering.index in traces.half_way:
            frames["preview"] = traces.half_way[rendering.index]  # of another seed there is none
        return Pair(
            items={kind: question.item for kind, question in questions.items()},
            exhibits={kind: question.jpeg() for kind, question in questions.items()},
            frames=frames,
            facts={
                "look": self._order.look.name,
                "model_set": model_set.name,
                "seed": rendering.seed,
                "steps": rendering.executed_steps,
                "seconds": round(rendering.seconds, 2),
                "prompt": self._order.prompt(model_set),
            },
        )

    def _item(self, truth: Kind, portrait: Portrait) -> Item:
        model_set, expression = self._model_set, self._order.expression
        return Item(
            new_item_id(),
            truth,
            self._order.look.name,
            model_set.name,
            portrait.rendering.start,
            expression.name if expression else None,
            model_set.rehearsal,
        )
