"""The stage's scenes as HTML. While the room judges, the ground is the grey card; from the truth on, black.

Every text is escaped. What a scene may tell is decided by the room: a scene is asked for when it is due.
"""

from collections.abc import Sequence
from html import escape

from booth.catalogue import FRAMES, STEPS, Exhibit
from pages import markup
from pages.board import Board, qr
from pages.booth.report import lost
from pages.charts import NAMED, split_chart
from pipelines.ladder import RUNGS
from pipelines.measure.likeness import Level
from services import Services
from votes.room import Snapshot
from votes.rounds import Scene
from votes.schema import Kind, Source
from votes.studies import Study
from votes.tally import FEWEST_ANSWERS, Share, Tally

BESIDE = 3  # frames; up to so many stand beside the words, more above them
LONG = 320  # characters of words and credit; beyond, they are written smaller
FACTS = ("look", "seed", "steps", "seconds", "model_set")


class Scenes:
    """Draws what the stage shows."""

    def __init__(self, services: Services, studies: Sequence[Study], titles: dict[str, str]) -> None:
        """`titles` names the model sets for people."""
        self._say = services.words.say
        self._looks = {name: look.title for name, look in services.looks.items()}
        self._titles = titles
        self._services = services
        self._board: Board = services.board
        self._studies = studies

    def html(self, now: Snapshot) -> str:
        """The whole of `main`, but for the number of answers, which changes more often."""
        item = now.setting.item
        shown = self._board.programme.exhibit(item) if item else None
        if shown is None:
            return self._words("gone" if item else "empty")
        scene = now.setting.scene
        if scene == Scene.READY or now.asked is None:
            return self._ready()
        if scene in (Scene.OPEN, Scene.CLOSED):
            return self._open(now) if scene == Scene.OPEN else self._closed(now)
        if scene == Scene.SPLIT:
            return self._split(now)
        if scene == Scene.TRUTH:
            return self._truth(now, shown)
        if scene == Scene.LADDER:
            return self._ladder(now, shown)
        return self._made(now, shown) if scene == Scene.MADE else self._room(now)

    def note(self, now: Snapshot) -> str:
        """What must not be forgotten about these answers, in a corner."""
        if now.setting.rehearsing:
            return self._say("stage.rehearsal")
        return self._say("stage.again") if now.asked and now.asked.again else ""

    # ---- before the truth

    def _words(self, key: str) -> str:
        return (
            f'<div class="stage side card"><h1 class="alone">{escape(self._say(f"stage.{key}"))}</h1></div>'
        )

    def _ready(self) -> str:
        return (
            f'<div class="stage waiting card"><h1>{escape(self._say("stage.ready"))}</h1>'
            f"{self._join(False)}</div>"
        )

    def _open(self, now: Snapshot) -> str:
        question = (
            f'<h1 class="hidden-text">{escape(self._say("vote.question"))}</h1>'
            f'<div class="q" aria-hidden="true">{self._shape(Kind.PHOTOGRAPH)}'
            f"<span>{escape(self._say('stage.or'))}</span>{self._shape(Kind.GENERATED)}<span>?</span></div>"
        )
        return self._beside(now, f"{question}{self._join(True)}", "card", self._say("vote.alt"))

    def _closed(self, now: Snapshot) -> str:
        words = (
            f"<h1>{escape(self._say('stage.closed'))}</h1>"
            f'<p class="lead">{escape(self._say("stage.closed_lead"))}</p>'
            f'<div class="join"><div>{self._count(now)}</div></div>'
        )
        return self._beside(now, words, "card", self._say("vote.alt"))

    def _join(self, counts: bool) -> str:
        """QR code and link, and the number of answers."""
        link = self._board.link
        count = self._count(None) if counts else f'<p class="lead">{escape(self._say("stage.join"))}</p>'
        drawn = f'<div class="qr" role="img" aria-label="{escape(self._say("stage.qr", link=link))}">'
        return (
            f'<div class="join">{drawn}{qr(self._board.url)}</div><div>{count}</div>'
            f'<p class="url">{escape(link)}</p></div>'
        )

    def _count(self, now: Snapshot | None) -> str:
        """Filled by the page: it changes with every answer."""
        n = now.answers if now else 0
        return f'<p class="count" aria-live="off">{n}</p><p class="unit"></p>'

    def unit(self, now: Snapshot) -> str:
        """What the number counts."""
        kind = "hand" if now.source == Source.HANDS else "answer"
        return self._say(f"stage.{kind}" if now.answers == 1 else f"stage.{kind}s")

    def _split(self, now: Snapshot) -> str:
        tally = Tally(now.count)
        if tally.too_few:
            chart = f'<p class="lead">{escape(self._few(tally.answers))}</p>'
        else:
            chart = split_chart(self._say, self._say("stage.split"), tally)
        return (
            f'<div class="stage chart card"><h1>{escape(self._say("stage.split"))}</h1>'
            f'<div class="mid">{self._print(now, self._say("vote.alt"))}{chart}</div>'
            f'<div class="foot"><span>{escape(self._say("stage.split_foot"))}</span></div></div>'
        )

    # ---- the truth and what follows

    def _truth(self, now: Snapshot, shown: Exhibit) -> str:
        truth = shown.item.truth
        words = (
            f'<p class="pre">{escape(self._say(f"stage.was_{truth.value}"))}</p>'
            f'<h1 class="truth {truth.value}">{markup.sign(truth.value)}'
            f"{escape(self._say(NAMED[truth]))}{markup.ring()}</h1>"
            f'<p class="how">{escape(self._how(shown))}</p><div class="res">{self._right(now, truth)}</div>'
        )
        return self._beside(now, words, "", self._say(f"vote.alt_{truth.value}"))

    def _how(self, shown: Exhibit) -> str:
        if shown.item.truth == Kind.PHOTOGRAPH:
            return self._say("stage.how_own" if _is_plate(shown) else "stage.how_photograph")
        named = self._titles.get(shown.item.model_set, shown.item.model_set)
        return (
            self._say("stage.how_generated", model=named)
            if named
            else self._say("stage.how_generated_unnamed")
        )

    def _right(self, now: Snapshot, truth: Kind) -> str:
        tally = Tally(now.count)
        if tally.too_few:
            return f'<p class="lead">{escape(self._few(tally.answers))}</p>'
        share = tally.share(truth)
        return (
            f'<p class="count">{escape(self._percent(share.value))}</p>'
            f"<p>{escape(self._say('stage.right', n=tally.answers))}<br>"
            f'<span class="small">{escape(self._interval(share))}</span></p>'
        )

    def _made(self, now: Snapshot, shown: Exhibit) -> str:
        frames = [name for name in FRAMES if name in shown.frames]
        known = [(name, self._fact(name, shown.facts[name])) for name in FACTS if name in shown.facts]
        if not frames or (len(frames) < 2 and not known):
            frames, body = [], f'<p class="lead">{escape(self._say("stage.unknown"))}</p>'
        else:
            figures = (_figure(now, name, *self._caption(now, shown, name)) for name in frames)
            body = f'<div class="strip">{"".join(figures)}</div>'
        facts = "".join(
            f"<div><dt>{escape(self._say(f'stage.{name}'))}</dt><dd>{escape(value)}</dd></div>"
            for name, value in known
        )
        told = {"prompt": str(shown.facts.get("prompt", "")), "credit": shown.credit}
        words = "".join(
            f'<p class="small"><b>{escape(self._say(f"stage.{key}"))}</b> {escape(text)}</p>'
            for key, text in told.items()
            if text
        )
        long = " long" if sum(map(len, told.values())) > LONG else ""
        beside = " beside" if 0 < len(frames) <= BESIDE else ""
        return (
            f'<div class="stage made{beside}" style="--n:{len(frames)}">'
            f'<h1>{escape(self._say("stage.made"))}</h1>{body}<dl class="facts">{facts}</dl>'
            f'<div class="words{long}">{words}{self._them(now, shown)}</div></div>'
        )

    def _ladder(self, now: Snapshot, shown: Exhibit) -> str:
        """The photograph where there is one, then the same sitter with ever less of them."""
        shares = str(shown.facts.get("left", "")).split() or [str(round(100 * (1 - one))) for one in RUNGS]
        left, levels = [self._say("stage.left", p=p) for p in shares], _recognised(shown)
        captions = {name: (share, "") for name, share in zip(STEPS, left, strict=True)}
        for name, level in zip(STEPS, levels, strict=False):  # none where the sitter did not ask
            captions[name] = (captions[name][0], self._say(f"stage.step_{level.replace(' ', '_')}"))
        if "photograph" in shown.frames:
            captions = {"photograph": (self._say("stage.photograph"), "")} | captions
        figures = "".join(_figure(now, name, *caption) for name, caption in captions.items())
        keys = ("ladder", "ladder_seed", "ladder_lead")
        title, seed, lead = (escape(self._say(f"stage.{key}")) for key in keys)
        return (
            f'<div class="stage ladder" style="--n:{len(captions)}">'
            f'<div class="head"><h1>{title}</h1><p>{seed}</p></div><div class="strip">{figures}</div>'
            f'<div class="words"><p>{lead}</p>{self._lost(left, levels)}</div></div>'
        )

    def _lost(self, left: Sequence[str], levels: Sequence[str]) -> str:
        """Where a face-recognition program first loses the sitter, if they asked it."""
        told = lost(self._say, "stage", left, levels)
        errors = self._say("stage.recognition_errors")
        return (
            f'<p class="them">{escape(told)} <span class="small">{escape(errors)}</span></p>' if told else ""
        )

    def _them(self, now: Snapshot, shown: Exhibit) -> str:
        """Is it really them: the room's answer, and a program's where the sitter asked for it."""
        told, (yes, no) = [], self._board.room.them(now)
        if yes + no >= FEWEST_ANSWERS:
            told.append(self._say("stage.them_room", p=round(100 * yes / (yes + no)), n=yes + no))
        if level := str(shown.facts.get("recognition", "")).replace(" ", "_"):
            told += [self._say(f"stage.recognition_{level}"), self._say("stage.recognition_errors")]
        if not told:
            return ""
        asked = escape(self._say("stage.them"))
        return f'<p class="small them"><b>{asked}</b> {escape(" ".join(told))}</p>'

    def _fact(self, name: str, value: object) -> str:
        if name == "look":
            return self._looks.get(str(value), str(value))
        if name == "model_set":
            return self._titles.get(str(value), str(value))
        if name == "seconds":
            return self._say("stage.seconds_value", s=f"{float(str(value)):.1f}")
        return str(value)

    def _caption(self, now: Snapshot, shown: Exhibit, name: str) -> tuple[str, str]:
        """A frame's name and note: not every photograph is a plate, not every start is noise."""
        key = f"stage.{name}_note"
        if name == "preview" and now.asked and now.asked.item.start == "plate":
            key += "_plate"
        has_note = name != "photograph" or _is_plate(shown)
        return self._say(f"stage.{name}"), self._say(key) if has_note else ""

    def _room(self, now: Snapshot) -> str:
        found = self._board.room.so_far(now)
        rows = "".join(self._study(study) for study in self._studies)
        people = self._say("stage.us_note_one" if found.voters == 1 else "stage.us_note", n=found.voters)
        if found.right is None:
            us = f'<div class="row us">{self._label(self._say("stage.us"), people)}<p class="lead few">' + (
                f"{escape(self._few(found.answers))}</p></div>"
            )
            told = self._few(found.answers)
        else:
            us = self._row(self._say("stage.us"), people, found.right, found.answers, "row us")
            told = f"{self._percent(found.right.value)} {self._say('stage.of', n=found.answers)}"
        published = ", ".join(f"{one.name} {self._percent(one.right)}" for one in self._studies)
        sentence = self._say("stage.room_alt", us=told, studies=published)
        ends = {0: "0 %", 50: escape(self._say("stage.chance")), 100: "100 %"}
        axis = "".join(f'<span style="left:{at}%">{words}</span>' for at, words in ends.items())
        return (
            f'<div class="stage chart studies"><h1>{escape(self._say("stage.room"))}</h1>'
            f'<div class="bars" role="img" aria-label="{escape(sentence)}">{us}{rows}'
            f'<div class="axis">{axis}</div></div><div class="foot">'
            f"<span>{escape(self._say('stage.room_foot'))}</span><span>{escape(self._say('stage.care'))}</span></div></div>"
        )

    def _study(self, study: Study) -> str:
        share = Share(study.right, study.low or study.right, study.high or study.right)
        note = f"{study.authors} {study.year}"
        return self._row(study.name, note, share, study.answers, "row", study.low is not None)

    def _row(self, name: str, note: str, share: Share, n: int, kind: str, has_interval: bool = True) -> str:
        ends = f"--lo:{100 * share.low:.1f};--hi:{100 * share.high:.1f}"
        whisker = f'<u style="{ends}"></u>' if has_interval else ""
        of = escape(self._say("stage.of", n=f"{n:,}"))
        return (
            f'<div class="{kind}">{self._label(name, note)}<div class="track"><span class="chance"></span>'
            f'<i class="photograph" style="--v:{100 * share.value:.1f}"></i>{whisker}</div>'
            f"<b>{escape(self._percent(share.value))} <small>{of}</small></b></div>"
        )

    # ---- parts

    def _beside(self, now: Snapshot, words: str, ground: str, alt: str) -> str:
        """The picture large at the left, words at the right."""
        return (
            f'<div class="stage side {ground}"><section class="field">{self._print(now, alt)}</section>'
            f'<section class="talk">{words}</section></div>'
        )

    def _print(self, now: Snapshot, alt: str) -> str:
        source = f"stage/{now.asked.id}.jpg" if now.asked else ""
        return f'<div class="print"><img src="{source}" alt="{escape(alt)}"></div>'

    def _shape(self, kind: Kind) -> str:
        word = escape(self._say(NAMED[kind]))
        return f'<span class="truth {kind.value}">{markup.sign(kind.value)}{word}</span>'

    def _label(self, name: str, note: str) -> str:
        return f'<span class="lab">{escape(name)}<small>{escape(note)}</small></span>'

    def _percent(self, share: float) -> str:
        return self._say("stage.share", p=round(100 * share))

    def _interval(self, share: Share) -> str:
        return self._say("stage.interval", low=round(100 * share.low), high=round(100 * share.high))

    def _few(self, n: int) -> str:
        if not n:
            return self._say("stage.none")
        return self._say("stage.few_one") if n == 1 else self._say("stage.few", n=n)


def _is_plate(shown: Exhibit) -> bool:
    """Whether its photograph stands on a new backdrop: that of a sitting, or one whose deck names a look."""
    return shown.is_own or shown.has_plate


def _recognised(shown: Exhibit) -> list[str]:
    """What a face-recognition program said of each step of the ladder; nothing where nobody asked it."""
    levels = str(shown.facts.get("recognised", "")).split(",")
    return levels if len(levels) == len(STEPS) and set(levels) <= set(Level) else []


def _figure(now: Snapshot, name: str, title: str, note: str) -> str:
    """A picture of the making with its caption below."""
    source = f"stage/{now.asked.id}/{name}.jpg" if now.asked else ""
    below = f"<p>{escape(note)}</p>" if note else ""
    return (
        f'<figure><div class="pic"><img src="{source}" alt="{escape(title)}"></div><figcaption>'
        f"<h2>{escape(title)}</h2>{below}</figcaption></figure>"
    )
