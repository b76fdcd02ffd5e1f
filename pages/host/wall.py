"""The wall of misfires, `GET /host/wall`: portraits that changed their sitters clearly, with their leave.

For a host's browser only, like all below `/host`; the speaker puts it on the screen.
"""

from html import escape
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from booth.catalogue import Misfire, Programme
from pages import markup
from pages.charts import NAMED
from pages.guards.errors_shown import refusal
from pipelines.exhibit import exhibit
from votes.schema import Kind
from words import Words

NO_STORE = {"Cache-Control": "no-store"}
PRINT = (480, 600)  # px
MOST = 8  # on one screen, which is read from the back
FOLDER = Path(__file__).parent


def wall_routes(programme: Programme, words: Words) -> list[Route]:
    """The page and its pictures."""

    def page(_: Request) -> Response:
        return HTMLResponse(_page(programme.wall()[:MOST], words), headers=NO_STORE)

    async def picture(request: Request) -> Response:
        photo = await run_in_threadpool(programme.wall_photo, request.path_params["picture"])
        if photo is None:
            return refusal(words.say("phone.gone"), 404)
        jpeg = await run_in_threadpool(exhibit, photo.pixels, PRINT)
        return Response(jpeg, media_type="image/jpeg", headers=NO_STORE)

    return [Route("/host/wall", page), Route("/host/wall/{picture}.jpg", picture)]


def _page(misfires: tuple[Misfire, ...], words: Words) -> str:
    page = (FOLDER / "wall.html").read_text(encoding="utf-8")
    prints = "".join(_print(one, words) for one in misfires)
    nothing = f'<p class="lead">{escape(words.say("wall.none"))}</p>'
    texts = {"title": escape(words.say("wall.title")), "lead": escape(words.say("wall.lead"))}
    for name, text in {**texts, "inside": f"<ul>{prints}</ul>" if misfires else nothing}.items():
        page = page.replace(f"{{{{{name}}}}}", text)
    return page


def _print(one: Misfire, words: Words) -> str:
    names = [words.say(f"likeness.{name}") for name in one.changed]
    said = escape(words.say("wall.changed", what=", ".join(names)))
    pictures = "".join(
        f'<div class="pic"><img src="/host/wall/{escape(one.pictures[kind])}.jpg" '
        f'alt="{escape(words.say(NAMED[kind]))}">{markup.sign(kind.value)}</div>'
        for kind in Kind
    )
    return f"<li><figure>{pictures}<figcaption>{said}</figcaption></figure></li>"
