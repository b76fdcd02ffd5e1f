"""Delete: ask once before everything goes."""

import gradio as gr

from booth.visit import ScreenName, Visit
from pages.booth.screen import Screen, Update, html, part


class DeleteScreen(Screen):
    """One question, two answers."""

    name = ScreenName.DELETE

    def lay_out(self) -> None:
        """The question."""
        with part("say"):
            self.heading("delete.ask")
            self.notice = html("")
            self.yes, self.no = self.button("delete.yes", "go"), self.button("delete.no", "plain")

    def wire(self, page: gr.Blocks) -> None:
        """Gone, or back to where the question came from."""
        self.yes.click(self.delete, **self.at_once)
        self.no.click(self.keep, **self.at_once)

    def delete(self, request: gr.Request) -> Update:
        """Everything of this visitor goes at once."""

        def step(visit: Visit) -> None:
            visit.wipe()
            self.services.store.forget_drift(visit.sitter)
            visit.go(ScreenName.GOODBYE)

        return self.doing(step)(request)

    def keep(self, request: gr.Request) -> Update:
        """Not deleted: back to where the question came from."""
        return self.doing(Visit.stay)(request)
