"""What each screen shows of a visit. The page is a function of the visit: a reload shows the same."""

import json
from contextlib import suppress
from typing import Any

import gradio as gr

from booth.quiz import Asked, Score
from booth.visit import Climb, Made, Stage, Visit
from errors import PhotoError
from pages import markup
from pages.booth.dial import keep_starts, making_words, start_of, told
from pages.booth.layout import AS_I_AM, default_look
from pages.booth.report import briefly, misfired, reports
from pages.booth.screens import Screens
from pages.charts import NAMED, split_chart
from pages.components.consent import TICKED, UNTICKED
from pipelines.ladder import RUNGS
from pipelines.selfie.face import best_of
from pipelines.selfie.photo import MAX_BYTES
from pipelines.sitting import can_be_given, find_faces, wants_closed_lips
from services import Services
from votes.schema import Kind
from votes.tally import Tally

Update = dict[Any, Any]  # component to what it becomes

SAID = {Kind.PHOTOGRAPH: "vote.said_photo", Kind.GENERATED: "vote.said_ai"}


def picture_url(picture: str) -> str:
    """Where a browser finds a picture of its own visit; relative, for a Space lives under a path."""
    return f"pictures/{picture}"


class Views:
    """Fills the screens."""

    def __init__(self, services: Services, screens: Screens) -> None:
        self._services = services
        self._on = screens
        self._say = services.say

    def show(self, visit: Visit, notice: str = "") -> Update:
        """The screen where the visit is, and a sentence on it if something went wrong."""
        fill = getattr(self, f"_{visit.stage.value}", None)
        columns = {self._on.of(stage).column: gr.Column(visible=stage == visit.stage) for stage in Stage}
        told = {self._on.of(visit.stage).notice: markup.notice(notice)}
        return columns | told | (fill(visit) if fill else {})

    def shots(self, visit: Visit) -> str:
        """The camera's value: whose photos these are, and what was taken."""
        shots = [{"id": one.picture, "url": picture_url(one.picture)} for one in visit.selfies]
        return json.dumps({"ticket": visit.ticket, "shots": shots, "limit": MAX_BYTES})

    def _welcome(self, _: Visit) -> Update:
        return {self._on.consent.ticks: UNTICKED, self._on.withdraw.code: ""}

    def _camera(self, visit: Visit) -> Update:
        return {self._on.camera.camera: self.shots(visit)}

    def _look(self, visit: Visit) -> Update:
        runs = self._say(
            "look.machine", model=self._services.generator.model_set.title, s=self._services.line.usual_s
        )
        beyond = self._beyond(visit)
        shown: Update = {self._on.look.runs: markup.note(runs) + markup.without("expression", beyond)}
        keep_starts(self._services, visit)  # only here: what is read on this screen stays true while it is
        place = self.place(visit)
        shown |= {
            self._on.look.dial: gr.HTML(str(visit.turns), visible=bool(place)),
            self._on.look.told: place,
        }
        return shown | ({self._on.look.expression: AS_I_AM} if beyond else {})

    def place(self, visit: Visit) -> str:
        """What the place of the visitor's dial does; nothing where there is no dial."""
        services, model_set = self._services, self._services.generator.model_set
        identity = services.looks[default_look(services)].identity
        sentence = told(self._say, visit.turns, model_set, start_of(services, visit, model_set), identity)
        return markup.status(sentence) if sentence else ""

    def _making(self, visit: Visit) -> Update:
        model_set = self._services.generator.model_set
        words = making_words(self._say, model_set, start_of(self._services, visit, model_set))
        return {self._on.making.words: markup.heading(*words)}

    def _beyond(self, visit: Visit) -> list[str]:
        """The expressions that the best of these photos cannot be given."""
        services, model_set = self._services, self._services.generator.model_set
        doubtful = [one for one in services.expressions.values() if wants_closed_lips(one, model_set)]
        if not doubtful:  # finding faces takes a while
            return []
        with suppress(PhotoError):  # of which a making would tell
            faces = find_faces([selfie.photo for selfie in visit.selfies], services.finder)
            best = faces[best_of(faces)]
            return [one.name for one in doubtful if not can_be_given(one, best, model_set)]
        return []

    def _result(self, visit: Visit) -> Update:
        made, on, say = visit.made, self._on.result, self._say
        if made is None:
            return {}
        return {
            on.portraits: self._portraits(made, visit.chosen),
            on.words: self._told(made),
            on.report: reports(say, made.likeness, [picture_url(one) for one in made.portraits]),
            on.machine: markup.note(say("result.machine")),
            on.ask: gr.Button(visible=not self._services.recognizer.refusal),
            on.show: UNTICKED if not visit.code else TICKED,
            on.misfire: UNTICKED if not visit.misfire else gr.skip(),
            on.code: self.code(visit),
            on.take: markup.take(say("take.title"), say("take.note"), self._links(visit, made)),
        }

    def _told(self, made: Made) -> str:
        notes = [self._honest(made), *([self._say("result.order")] if len(made.portraits) > 1 else [])]
        if made.order and made.order.expression and made.mouth_moved:
            notes.append(self._say("result.asked", x=made.order.expression.title))
        return markup.heading(self._say("likeness.title")) + markup.note(" ".join(notes))

    def code(self, visit: Visit) -> str:
        """How to take back the permission to show."""
        code = visit.code or visit.misfire_code
        return markup.status(self._say("show.code", c=code)) if code else ""

    def _ladder(self, visit: Visit) -> Update:
        made, climb, on, say = visit.made, visit.climb, self._on.ladder, self._say
        if made is None or climb is None:
            return {}
        steps = zip(self.shares(climb), climb.pictures, strict=True)
        prints = [{"url": picture_url(one), "caption": share, "alt": share} for share, one in steps]
        value = {
            "photograph": self._photograph(made, climb.portrait),
            "portraits": prints,
            "chosen": len(prints) - 1,
        }
        strip = f"{picture_url(climb.strip)}?take=1" if climb.strip else ""
        done = markup.note(say("ladder.done"), strip, say("ladder.take"))
        return {
            on.portraits: json.dumps(value),
            on.report: briefly(say, climb.likeness, self.shares(climb), climb.recognised),
            on.steps: done if strip else self.climbing(len(prints)),
            on.allow: gr.Column(visible=bool(strip)),
            on.show: TICKED if visit.code and visit.shows_climb else UNTICKED,
            on.code: self.code(visit) if strip else "",
        }

    def shares(self, climb: Climb) -> list[str]:
        """How much of the photograph each step was given, in words."""
        return [self._say("ladder.left", p=left) for left in climb.left]

    def climbing(self, done: int) -> str:
        """How far the ladder is."""
        label = self._say("ladder.step", i=min(done + 1, len(RUNGS)), n=len(RUNGS))
        return markup.steps(label, [float(i < done) for i in range(len(RUNGS))])

    def _photograph(self, made: Made, portrait: int) -> dict[str, str]:
        """The plate in that portrait's light and crop."""
        name = self._say("result.photo")
        return {"url": picture_url(made.photographs[portrait]), "caption": name, "alt": name}

    def _portraits(self, made: Made, chosen: int) -> str:
        say = self._say
        prints = []
        for i, picture in enumerate(made.portraits, 1):
            name = say("result.ai", i=i)
            mended = made.guarded[i - 1]
            guarded = picture_url(mended) if mended else ""
            tells = {
                "guarded": guarded,
                "misfire": bool(misfired(made.likeness[i - 1])),
                "photograph": picture_url(made.photographs[i - 1]),
            }
            prints.append({"url": picture_url(picture), "caption": name, "alt": name, **tells})
        shown = {"photograph": self._photograph(made, chosen), "portraits": prints, "chosen": chosen}
        return json.dumps(shown)

    def _honest(self, made: Made) -> str:
        """Which model drew, and what it is good for."""
        fallback = self._services.fallback
        if made.on_fallback and fallback:
            return f"{self._say(made.lacked)} {self._say('result.rehearsal')}"
        model_set = self._services.generator.model_set
        return self._say("result.rehearsal" if model_set.rehearsal else "result.drawn", model=model_set.title)

    def _links(self, visit: Visit, made: Made) -> list[tuple[str, str]]:
        every = f"take/{visit.ticket}.zip"
        one = [
            (f"{picture_url(picture)}?take=1", self._say("take.one", i=i))
            for i, picture in enumerate(made.portraits, 1)
        ]
        mended = [
            (f"{picture_url(picture)}?take=1", self._say("take.skin", i=i))
            for i, picture in enumerate(made.guarded, 1)
            if picture
        ]
        return [*one, *mended, (every, self._say("take.all"))]

    def _vote(self, visit: Visit) -> Update:
        if visit.quiz is None:
            return {}
        asked, on, say = visit.quiz.asked(), self._on.vote, self._say
        nth = say("vote.nth", i=visit.quiz.place, n=visit.quiz.total)
        open_ = asked.guess is None
        alt = say("vote.alt") if open_ else say(f"vote.alt_{asked.question.item.truth.value}")
        last = visit.quiz.place == visit.quiz.total
        question = markup.note(nth) + markup.heading(say("vote.question"))
        return {
            on.picture: markup.exhibit(picture_url(asked.picture), alt),
            on.words: question if open_ else self._truth(asked),
            on.answers: gr.Row(visible=open_),
            on.next: gr.Button(say("vote.finish" if last else "vote.next"), visible=not open_),
        }

    def _truth(self, asked: Asked) -> str:
        say, truth, guess = self._say, asked.question.item.truth, asked.guess
        if guess is None:
            return ""
        if guess.answer == truth:
            sentence = say("vote.right", x=say(SAID[truth]))
        else:
            sentence = say("vote.wrong_photo" if truth == Kind.PHOTOGRAPH else "vote.wrong_ai")
        shown = markup.truth(truth.value, say(NAMED[truth]), sentence)
        shown += markup.note(say("vote.exposed")) if guess.exposed else self._bars(asked)
        return shown + (markup.note(asked.question.credit) if asked.question.credit else "")

    def _bars(self, asked: Asked) -> str:
        """How everyone answered who had not seen the making."""
        say, tally = self._say, Tally(self._services.store.count(asked.round.id, exposed=False))
        if tally.answers == 1:
            return markup.note(say("vote.one"))
        if tally.too_few:
            return markup.note(say("vote.few", n=tally.answers))
        return split_chart(say, say("vote.all"), tally)

    def _goodbye(self, visit: Visit) -> Update:
        say, on = self._say, self._on.goodbye
        minutes = self._services.retention_minutes
        if visit.consented:
            shown = say("goodbye.shown", c=visit.code, h=self._services.show_hours)
            hung = say("goodbye.misfire", c=visit.misfire_code, h=self._services.show_hours)
            lead = shown if visit.code else hung if visit.misfire else say("goodbye.kept", m=minutes)
            words = markup.heading(say("goodbye.title")) + self._score(visit) + markup.lead(lead)
            return {on.words: words, **self._goodbye_ways(True), **self.fair(visit)}
        lead = say("goodbye.downloads") if visit.downloaded else ""
        hidden = {on.band: gr.HTML(visible=False), on.fair: ""}
        return {on.words: markup.heading(say("delete.done"), lead), **self._goodbye_ways(False), **hidden}

    def _score(self, visit: Visit) -> str:
        """How often they were right, and what that leaves out; nothing where they guessed nothing."""
        say, score = self._say, visit.quiz.score if visit.quiz else Score()
        if not score.answered:
            return ""
        below = [say("goodbye.chance")]
        if score.apart:
            below.append(say("goodbye.apart_one" if score.apart == 1 else "goodbye.apart", n=score.apart))
        return markup.score(say("goodbye.score", k=score.right, n=score.answered), " ".join(below))

    def fair(self, visit: Visit) -> Update:
        """The swatches, where there is something that may be told with one; and what is kept."""
        on, measured = self._on.goodbye, visit.made is not None and any(visit.made.likeness)
        note = markup.note(self._say("fair.kept" if visit.band else "fair.note")) if measured else ""
        return {on.band: gr.HTML(str(visit.band or ""), visible=measured), on.fair: note}

    def _goodbye_ways(self, kept: bool) -> Update:
        return {button: gr.Button(visible=kept) for button in self._on.goodbye.quiet.values()}
