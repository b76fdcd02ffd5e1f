"""One making: the portraits drawn for a visitor, and what grows out of them: ladder, quiz, answers."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from booth.album import Album
from booth.catalogue import STEPS, Pair
from booth.quiz import Quiz
from booth.records import PictureId
from errors import ChoiceError, VisitorError
from pipelines.measure.likeness import LikenessReport
from pipelines.order import Order
from pipelines.plate.shot import Shot
from votes.schema import Kind


class Run:
    """Work that a visitor waits for: it is begun once, and ends within one step when it is stopped."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._begun = False

    @property
    def is_stopped(self) -> bool:
        """Whether nobody waits for it any more."""
        return self._stop.is_set()

    def begin(self) -> bool:
        """Whether whoever asks is the one to do it."""
        may = not self._begun and not self.is_stopped
        self._begun = self._begun or may
        return may

    def stop(self) -> None:
        """Ask it to end."""
        self._stop.set()


@dataclass(frozen=True, eq=False)
class Portraits:
    """What a sitting came to: pictures in the album, portrait by portrait, the least changed first."""

    order: Order
    photographs: tuple[PictureId, ...]  # the plate of each portrait, in its light and crop
    portraits: tuple[PictureId, ...]
    tone_matched: tuple[
        PictureId | None, ...
    ]  # the portrait with the photograph's skin tone, where it was off
    pairs: tuple[Pair, ...]  # what a room could be asked about
    likeness: tuple[LikenessReport | None, ...]
    shots: tuple[Shot, ...]
    mouth_moved: bool = False  # before the drawing, to the expression that was asked for
    lacked: str = ""  # why the small model stood in: a key of the words

    @property
    def pictures(self) -> tuple[PictureId, ...]:
        """All of them."""
        every = (*self.photographs, *self.portraits, *self.tone_matched)
        return tuple(picture for picture in every if picture)

    def pair(self, index: int) -> dict[Kind, PictureId]:
        """A portrait and the photograph beside it, as the sitter has them."""
        return {Kind.PHOTOGRAPH: self.photographs[index], Kind.GENERATED: self.portraits[index]}


@dataclass(eq=False)
class Ladder:
    """One portrait's ladder, as far as it is drawn: pictures in the album, and what each step changed."""

    portrait: int
    pictures: list[PictureId] = field(default_factory=list)
    likeness: list[LikenessReport | None] = field(default_factory=list)
    shares: list[int] = field(default_factory=list)  # per cent of the photograph that each step was given
    recognised: list[str] = field(default_factory=list)  # what a program said of each step, if it was asked
    strip: PictureId | None = None  # all of it as one picture, once it is whole

    def add(self, picture: PictureId, report: LikenessReport | None, share: int, recognised: str) -> None:
        """One more step; `recognised` is empty where nobody asked the program."""
        self.pictures.append(picture)
        self.likeness.append(report)
        self.shares.append(share)
        if recognised:
            self.recognised.append(recognised)

    def finish(self, strip: PictureId) -> None:
        """It is whole: `strip` shows all of it."""
        self.strip = strip


class Making:
    """From the tap on the button until something else is made. Pages tell it what happened."""

    def __init__(self, album: Album) -> None:
        self._album = album
        self._recognised: dict[int, str] = {}
        self.run = Run()
        self.portraits: Portraits | None = None  # None while they are drawn
        self.quiz: Quiz | None = None
        self.chosen = 0  # which portrait is large
        self.ladder: Ladder | None = None

    @property
    def has_whole_ladder(self) -> bool:
        """Whether all steps of one are there."""
        return self.ladder is not None and self.ladder.strip is not None

    def finish(self, portraits: Portraits, quiz: Quiz) -> None:
        """They are drawn, and may be guessed about."""
        self.portraits, self.quiz = portraits, quiz

    def result(self) -> Portraits:
        """What it came to. Raises `VisitorError` while it is drawn."""
        if self.portraits is None:
            raise VisitorError("visit.over")
        return self.portraits

    def choose(self, index: object) -> None:
        """Another portrait is large. Raises `ChoiceError` for one that is not there: pages send anything."""
        count = len(self.portraits.portraits) if self.portraits else 0
        if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < count:
            raise ChoiceError("A page showed a portrait that is not there.")
        self.chosen = index

    def recognise(self, level: str) -> None:
        """What a face-recognition program says of the large portrait: the word, never the number."""
        self._recognised[self.chosen] = level

    @property
    def recognised(self) -> Mapping[int, str]:
        """What it said of each portrait that the sitter asked about."""
        return self._recognised

    def was_asked_about(self, portrait: int) -> bool:
        """Whether the sitter asked the program about that portrait: nobody is recognised unasked."""
        return portrait in self._recognised

    def start_ladder(self) -> bool:
        """Begin the ladder of the large portrait; one of it that is whole stays. Whether one is begun."""
        self.run.stop()
        if self.has_whole_ladder and self.ladder and self.ladder.portrait == self.chosen:
            return False
        self.drop_ladder()
        self.ladder, self.run = Ladder(self.chosen), Run()
        return True

    def pair_to_show(self, with_ladder: bool = False) -> Pair:
        """What the room would be shown: the large portrait's pair, or the ladder's with its steps.

        Raises `VisitorError` where there is none.
        """
        ladder = self.ladder if with_ladder else None
        if with_ladder and not self.has_whole_ladder:
            raise VisitorError("ladder.gone")
        index = ladder.portrait if ladder else self.chosen
        pair = self.result().pairs[index]
        facts, frames = dict(pair.facts), dict(pair.frames)
        if index in self._recognised:
            facts["recognition"] = self._recognised[index]
        if ladder:
            kept = [self._album.get(picture) for picture in ladder.pictures]
            frames |= {name: step.jpeg for name, step in zip(STEPS, kept, strict=True) if step}
            facts["left"] = " ".join(map(str, ladder.shares))
            if ladder.recognised:
                facts["recognised"] = ",".join(ladder.recognised)
        return replace(pair, facts=facts, frames=frames)

    def drop_ladder(self) -> None:
        """Its pictures go."""
        for picture in (*self.ladder.pictures, self.ladder.strip) if self.ladder else ():
            self._album.drop(picture or "")
        self.ladder = None

    def drop(self) -> None:
        """Stop it, and every picture of it goes."""
        self.run.stop()
        self.drop_ladder()
        for picture in self.portraits.pictures if self.portraits else ():
            self._album.drop(picture)
