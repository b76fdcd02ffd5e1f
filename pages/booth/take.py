"""The sheet "Take home": the pictures, and the code that brings them to the visitor's own phone."""

from datetime import datetime

import gradio as gr
from markupsafe import Markup

from booth.take_home import Keepsake, pictures_to_take
from booth.visit import Visit
from pages.board import qr
from pages.booth.screen import Screen, ScreenPart, Update, html, picture_url, take_url
from pages.markup import note, render

CAPTIONS = {
    Keepsake.PHOTOGRAPH: "take.photo",
    Keepsake.PORTRAIT: "take.one",
    Keepsake.SKIN_TONE: "take.skin",
    Keepsake.LADDER: "take.ladder",
}


def time_of(moment: datetime) -> str:
    """On the booth's own clock, as people read it."""
    return moment.astimezone().strftime("%H:%M")


class TakeSheet(ScreenPart):
    """Made inside the sheet that the caller opened. On a kiosk it has no files: its disk is nobody's."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._services = screen.services
        self.link, self.open = html("", "link"), screen.button("take.to_phone", "go")
        self.close = screen.button("take.end", "plain")
        self.files = html("")

    def fill(self, visit: Visit, notice: str = "") -> Update:
        """The pictures, and the link's code where the visitor has asked for it."""
        has_links = self._services.take_home.has_links
        return {
            self.files: self._files(visit),
            self.link: self._code(visit) if visit.link else note(notice or self._promise(visit)),
            self.open: gr.Button(visible=has_links and not visit.link),
            self.close: gr.Button(visible=has_links and bool(visit.link)),
        }

    def _until(self, visit: Visit) -> str:
        """When the visit's pictures go, whatever happens; empty where they have gone."""
        deadline = self._services.album.deadline(visit.sitting) if visit.sitting else None
        return time_of(deadline) if deadline else ""

    def _promise(self, visit: Visit) -> str:
        """What the tap does, said before it."""
        has_links = self._services.take_home.has_links
        return self._screen.say_to(visit)("take.keep", t=self._until(visit)) if has_links else ""

    def _code(self, visit: Visit) -> Markup:
        say, home = self._screen.say_to(visit), self._services.take_home
        scan = qr(f"{self._services.board.base_url}/take/{visit.link}")
        codes = [(say("take.scan" if home.wifi_name else "take.scan_only"), scan)]
        if home.wifi_name:
            codes.insert(0, (say("take.wifi", name=home.wifi_name), qr(home.wifi_code)))
        notes = [] if home.wifi_name else [say("take.network")]
        notes.append(say("take.until", t=self._until(visit)))
        return render("booth/take_link.html", codes=codes, notes=notes)

    def _files(self, visit: Visit) -> str:
        """Each picture; where this browser may save it, as a link, and all of them as one file."""
        say, home = self._screen.say_to(visit), self._services.take_home
        files = [
            (
                take_url(taken.id) if home.has_files else "",
                picture_url(taken.id),
                say(CAPTIONS[taken.kind], i=taken.number),
            )
            for taken in pictures_to_take(self._services.album, visit.sitting)
        ]
        every = f"take/{visit.ticket}.zip" if home.has_files else ""
        values = {"note": say("take.note"), "files": files, "every": every, "all": say("take.all")}
        return str(render("booth/take.html", **values, is_main=not home.has_links))  # else the code is
