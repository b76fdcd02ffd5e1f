"""The sheet "Take home": the pictures, and the code that brings them to the visitor's own phone."""

from collections.abc import Iterator
from datetime import date, datetime

import gradio as gr
from markupsafe import Markup

from booth.take_home import pictures_to_take
from booth.visit import Visit
from errors import ChoiceError, VisitorError
from pages.board import qr
from pages.booth.screen import Screen, ScreenPart, Update, html, picture_url, take_url
from pages.markup import note, render, status
from pipelines.lettering import unwritable
from pipelines.paper import as_pdf, lay_out_sheet
from pipelines.selfie.photo import read_photo


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
        self.printed, self.print = html(""), screen.button("paper.print", "plain")
        self.files = html("")

    @property
    def is_offered(self) -> bool:
        """Whether anything can be taken home: by phone, as files, or on paper."""
        home = self._services.take_home
        return home.has_links or home.has_files or self._services.paper is not None

    def fill(self, visit: Visit, notice: str = "") -> Update:
        """The pictures, and the link's code where the visitor has asked for it."""
        has_links = self._services.take_home.has_links
        return {
            self.files: self._files(visit),
            self.link: self._code(visit) if visit.link else note(notice or self._promise(visit)),
            self.open: gr.Button(visible=has_links and not visit.link),
            self.close: gr.Button(visible=has_links and bool(visit.link)),
            self.print: gr.Button(visible=self._services.paper is not None),
        }

    def print_large(self, visit: Visit) -> Iterator[str]:
        """The large portrait and its photograph on one sheet: what to say before it, and after.

        Raises `VisitorError` where it was not printed.
        """
        say, services = self._screen.say_to(visit), self._services
        if services.paper is None:
            raise ChoiceError("A page asked for paper where none is printed.")
        if visit.copies >= services.settings.copies:
            raise VisitorError("paper.enough")
        making = visit.finished_making()
        kept = [services.album.get(picture) for picture in making.result().pair(making.chosen).values()]
        photograph, portrait = (read_photo(picture.jpeg).pixels for picture in kept if picture)
        yield status(say("paper.printing"))
        parts = services.settings.name, self._date(), "Face Value"
        line = " · ".join(part for part in parts if part and not unwritable(part))
        captions = say("paper.photograph"), say("paper.portrait")
        visit.copies += 1  # before: two taps are two sheets
        try:
            services.paper.print_sheet(as_pdf(lay_out_sheet((photograph, portrait), captions, line)))
        except VisitorError:
            visit.copies -= 1
            raise
        yield status(say("paper.done"))

    def _date(self) -> str:
        return self._services.settings.date or f"{date.today():%Y-%m-%d}"

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
                say(taken.kind.caption, i=taken.number),
            )
            for taken in pictures_to_take(self._services.album, visit.sitting)
        ]
        every = f"take/{visit.ticket}.zip" if home.has_files else ""
        values = {"note": say("take.note"), "files": files, "every": every, "all": say("take.all")}
        return str(render("booth/take.html", **values, is_main=not home.has_links))  # else the code is
