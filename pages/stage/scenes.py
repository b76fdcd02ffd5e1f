"""The stage's scenes as HTML: each is a template of its name. Until the truth the ground is the grey card."""

from collections.abc import Sequence
from typing import assert_never

from markupsafe import Markup

from pages.markup import render
from pages.stage.view import View
from services import Services
from votes.room import Snapshot
from votes.rounds import Scene
from votes.schema import Source
from votes.studies import Study


class Scenes:
    """Draws what the stage shows."""

    def __init__(self, services: Services, studies: Sequence[Study], titles: dict[str, str]) -> None:
        """`titles` names the model sets for people."""
        self._say = services.words.say
        self._services = services
        self._studies = studies
        self._titles = titles

    def html(self, now: Snapshot, shows_code: bool = True) -> Markup:
        """The whole of `main`, but for the number of answers, which changes more often.

        `shows_code`: with the room's code, which lets a phone in.
        """
        if now.room.scene == Scene.WITHDRAWN:
            return render("stage/absent.html", sentence=self._say("phone.withdrawn"))
        item = now.room.item
        shown = self._services.board.catalogue.exhibit(item) if item else None
        if shown is None:
            return render("stage/absent.html", sentence=self._say("stage.gone" if item else "stage.empty"))
        scene = now.room.scene if now.round else Scene.READY
        view = View(self._services, self._studies, self._titles, now, shown, shows_code)
        return render(f"stage/{scene.value}.html", view=view)

    def unit(self, now: Snapshot) -> str:
        """What the number counts."""
        match now.source:
            case Source.HANDS:
                kind = "hand"
            case Source.BOOTH | Source.PHONE | Source.SYNTHETIC | Source.SUSPECT:
                kind = "answer"
            case unknown:
                assert_never(unknown)
        return self._say(f"stage.{kind}" if now.answers == 1 else f"stage.{kind}s")

    def note(self, now: Snapshot) -> str:
        """What must not be forgotten about these answers, in a corner."""
        if now.room.rehearsing:
            return self._say("stage.rehearsal")
        return self._say("stage.again") if now.round and now.round.again else ""
