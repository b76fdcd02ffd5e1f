"""What the scenes' templates read: the room, the picture it is about, and sentences about both.

A template asks for what it shows, and a scene comes when it is due: nothing here says whether it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from markupsafe import Markup

from booth.catalogue import FRAMES, STEPS, Exhibit
from pages.board import qr
from pages.booth.report import explain_loss
from pages.charts import KIND_KEYS, count_in_words, split_chart
from pipelines.measure.likeness import Level
from services import Services
from votes.room import Snapshot
from votes.schema import Kind
from votes.studies import Study
from votes.tally import FEWEST_ANSWERS, Share, Tally
from words import write_number

LONG = 320  # characters of words and credit; beyond, they are written smaller
FACTS = ("look", "seed", "steps", "seconds", "model_set")


class Frame(NamedTuple):
    """A picture of the making with its caption."""

    source: str
    title: str
    note: str


class Accuracy(NamedTuple):
    """How often people were right: a room, or a published study.

    `share` is None for too few answers: then `in_words` says how many were right.
    """

    name: str
    note: str
    share: Share | None
    answers: int
    has_interval: bool = True
    in_words: str = ""


@dataclass(frozen=True, eq=False)
class View:
    """One scene's view of the room. `titles` names the model sets; `shows_code`: whoever looks may join."""

    services: Services
    published: Sequence[Study]
    titles: dict[str, str]
    now: Snapshot
    shown: Exhibit
    shows_code: bool = True

    def say(self, key: str, /, **values: object) -> str:
        """A sentence; the stage speaks English, and "this machine" wherever it runs."""
        return self.services.words.say(key, **values)

    # ---- what phones open, and what they answered

    @property
    def closes_in(self) -> str:
        """The seconds until the round closes by itself, which `countdown.js` fills in."""
        return self.services.words.template("timer.left")

    @property
    def link(self) -> str:
        """The room's address, as people type it; without its code for whoever may not have it."""
        link = self.services.board.link
        return link if self.shows_code else link.rsplit("/", 1)[0]

    @property
    def qr_code(self) -> Markup:
        """The same as SVG."""
        return qr(self.services.board.url)

    @property
    def picture(self) -> str:
        """Address of the picture that is judged."""
        return f"stage/{self.now.round.id}.jpg" if self.now.round else ""

    @property
    def tally(self) -> Tally:
        """How the room answered."""
        return Tally(self.now.count)

    @property
    def split_chart(self) -> Markup:
        """The same as bars. Raises `ValueError` without any answer."""
        return split_chart(self.say, self.say("stage.split"), self.tally)

    @property
    def right(self) -> Share:
        """How many were right. Raises `ValueError` without any answer."""
        return self.tally.share(self.shown.item.truth)

    def kind_name(self, kind: str) -> str:
        """An answer, as its button is labelled."""
        return self.say(KIND_KEYS[Kind(kind)])

    def percent(self, share: float) -> str:
        """A share of 0..1 in words."""
        return self.say("stage.share", p=round(100 * share))

    def of(self, answers: int) -> str:
        """Of how many."""
        return self.say("stage.of", n=write_number(self.say, f"{answers:,}"))

    def interval(self, share: Share) -> str:
        """Its 95 % interval in words."""
        return self.say("stage.interval", low=round(100 * share.low), high=round(100 * share.high))

    @property
    def count_in_words(self) -> str:
        """The same where there are too few for a share."""
        return count_in_words(self.say, self.now.count)

    # ---- the truth, and how it was made

    @property
    def truth(self) -> str:
        """Photograph or generated."""
        return self.shown.item.truth.value

    @property
    def origin(self) -> str:
        """Where the picture comes from, in one sentence."""
        if self.shown.item.truth == Kind.PHOTOGRAPH:
            return self.say("stage.how_own" if self._has_plate else "stage.how_photograph")
        model = self.titles.get(self.shown.item.model_set, self.shown.item.model_set)
        return (
            self.say("stage.how_generated", model=model) if model else self.say("stage.how_generated_unnamed")
        )

    @property
    def _has_plate(self) -> bool:
        """Whether its photograph stands on a new backdrop: of a sitting, or where its deck names a look."""
        return self.shown.is_from_sitting or self.shown.has_plate

    @property
    def frames(self) -> list[Frame]:
        """Those of the making, in its order; none where the only one says nothing."""
        frames = [self._frame(name) for name in FRAMES if name in self.shown.frames]
        return frames if len(frames) > 1 or self.facts else []

    def _frame(self, name: str) -> Frame:
        """Not every photograph is a plate, not every start is noise."""
        key = f"stage.{name}_note"
        if name == "preview" and self.now.round and self.now.round.item.start == "plate":
            key += "_plate"
        has_note = name != "photograph" or self._has_plate
        return Frame(self._source(name), self.say(f"stage.{name}"), self.say(key) if has_note else "")

    def _source(self, name: str) -> str:
        return f"stage/{self.now.round.id}/{name}.jpg" if self.now.round else ""

    @property
    def facts(self) -> dict[str, str]:
        """What is known of the making, by the names of `FACTS`."""
        return {name: self._fact(name) for name in FACTS if name in self.shown.facts}

    def _fact(self, name: str) -> str:
        value = str(self.shown.facts[name])
        if name == "look":
            return self.services.look_titles.get(value, value)
        if name == "model_set":
            return self.titles.get(value, value)
        if name == "seconds":
            return self.say("stage.seconds_value", s=write_number(self.say, f"{float(value):.1f}"))
        return value

    @property
    def texts(self) -> dict[str, str]:
        """What was asked for in words, and whom the picture is owed to: as far as there is any."""
        texts = {"prompt": str(self.shown.facts.get("prompt", "")), "credit": self.shown.credit}
        return {name: text for name, text in texts.items() if text}

    @property
    def is_wordy(self) -> bool:
        """Whether these are many words for a screen that is read from the back."""
        return sum(map(len, self.texts.values())) > LONG

    @property
    def likeness(self) -> str:
        """Is it really them: the room's answer, and a program's where the sitter asked for it."""
        sentences, (yes, no) = [], self.services.board.room.identity_answers(self.now)
        if yes + no >= FEWEST_ANSWERS:
            sentences.append(self.say("stage.them_room", p=round(100 * yes / (yes + no)), n=yes + no))
        elif yes + no:
            sentences.append(self.say("stage.them_few", yes=yes, no=no))
        if level := str(self.shown.facts.get("recognition", "")).replace(" ", "_"):
            sentences += [self.say(f"stage.recognition_{level}"), self.say("stage.recognition_errors")]
        return " ".join(sentences)

    # ---- the ladder: the photograph where there is one, then the same sitter with ever less of them

    @property
    def rungs(self) -> list[Frame]:
        """All of it."""
        words = [self.say(f"stage.step_{level.replace(' ', '_')}") for level in self._levels]
        words = words or [""] * len(STEPS)
        steps = zip(STEPS, self._shares, words, strict=True)
        rungs = [Frame(self._source(name), share, word) for name, share, word in steps]
        if "photograph" in self.shown.frames:
            rungs.insert(0, Frame(self._source("photograph"), self.say("stage.photograph"), ""))
        return rungs

    @property
    def loss(self) -> str:
        """Where a face-recognition program first loses the sitter, if they asked it."""
        return explain_loss(self.say, "stage", self._shares, self._levels)

    @property
    def _shares(self) -> list[str]:
        """How much of the photograph each step was given."""
        return [self.say("stage.left", p=p) for p in self.shown.left]

    @property
    def _levels(self) -> list[str]:
        """What a face-recognition program said of each step; nothing where nobody asked it."""
        levels = str(self.shown.facts.get("recognised", "")).split(",")
        return levels if len(levels) == len(STEPS) and set(levels) <= set(Level) else []

    # ---- the room so far, beside published studies

    @cached_property
    def room(self) -> Accuracy:
        """How often this room was right."""
        found = self.services.board.room.pooled_finding(self.now)
        people = self.say("stage.us_note_one" if found.voters == 1 else "stage.us_note", n=found.voters)
        right = self.say("tally.right", k=found.correct, n=found.answers)
        in_words = right if found.answers else self.say("tally.none")
        return Accuracy(self.say("stage.us"), people, found.right, found.answers, in_words=in_words)

    @property
    def studies(self) -> list[Accuracy]:
        """How often people were right elsewhere."""
        return [
            Accuracy(
                self.services.words.study(study.name),
                f"{study.authors} {study.year}",
                Share(study.right, study.low or study.right, study.high or study.right),
                study.answers,
                study.low is not None,
            )
            for study in self.published
        ]

    @property
    def room_alt(self) -> str:
        """The whole chart in one sentence."""
        us, answers = self.room.share, self.room.answers
        ours = f"{self.percent(us.value)} {self.say('stage.of', n=answers)}" if us else self.room.in_words
        studies = ", ".join(
            f"{study.name} {self.percent(study.share.value)}" for study in self.studies if study.share
        )
        return self.say("stage.room_alt", us=ours, studies=studies)
