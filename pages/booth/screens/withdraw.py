"""Withdraw: a code takes a portrait back, whoever holds it."""

import gradio as gr

from booth.visit import ScreenName
from pages.booth.screen import Screen, Update, html, part
from pages.components.code_keys import code_keys
from words import Say


class WithdrawScreen(Screen):
    """A code is typed."""

    name = ScreenName.WITHDRAW

    def lay_out(self) -> None:
        """Where the code is typed; on a kiosk, with keys of its own."""
        with part("say"):
            self.heading("withdraw.title", "withdraw.lead")
            self.code: gr.HTML | gr.Textbox
            self.code = self.spoken(code_keys) if self.services.settings.is_kiosk else self.spoken(_field)
            self.notice = html("")
            self.send, self.back = self.button("withdraw.go", "go"), self.button("withdraw.back", "plain")

    def reset(self) -> Update:
        """What somebody typed is nobody else's."""
        return {self.code: ""}

    def wire(self, page: gr.Blocks) -> None:
        """Take it back, or go back."""
        self.send.click(self.withdraw, self.code, **self.at_once)
        self.code.submit(self.withdraw, self.code, **self.at_once)
        self.back.click(self.go(ScreenName.WELCOME), **self.at_once)

    def withdraw(self, code: str, request: gr.Request) -> Update:
        """Delete what that code allowed to be shown."""
        found = self.services.album.withdraw(str(code)[:100])
        visit = self.booth.visit_of(request)
        if found:
            visit.go(ScreenName.WELCOME)
        return self.booth.show(visit, self.say_to(visit)("withdraw.done" if found else "withdraw.unknown"))


def _field(say: Say) -> gr.Textbox:
    return gr.Textbox(label=say("withdraw.code"), max_length=40, elem_classes=["code"])
