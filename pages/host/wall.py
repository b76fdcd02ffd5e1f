"""The wall of misfires, `GET /host/wall`: portraits that changed their sitters clearly, with their leave.

For a host's browser only, like all below `/host`; the speaker puts it on the screen.
"""

from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from booth.catalogue import Catalogue, Misfire
from pages.charts import KIND_KEYS
from pages.guards.error_boundary import refusal
from pages.markup import render
from pipelines.exhibit import exhibit
from votes.schema import Kind
from words import Words

NO_STORE = {"Cache-Control": "no-store"}
PRINT = (480, 600)  # px
MOST = 8  # on one screen, which is read from the back


def wall_routes(catalogue: Catalogue, words: Words) -> list[Route]:
    """The page and its pictures."""

    def page(_: Request) -> Response:
        return HTMLResponse(_page(catalogue.wall()[:MOST], words), headers=NO_STORE)

    async def picture(request: Request) -> Response:
        photo = await run_in_threadpool(catalogue.wall_photo, request.path_params["picture"])
        if photo is None:
            return refusal(words.say("phone.gone"), 404)
        jpeg = await run_in_threadpool(exhibit, photo.pixels, PRINT)
        return Response(jpeg, media_type="image/jpeg", headers=NO_STORE)

    return [Route("/host/wall", page), Route("/host/wall/{picture}.jpg", picture)]


def _page(misfires: tuple[Misfire, ...], words: Words) -> Markup:
    def changes(misfire: Misfire) -> str:
        names = [words.say(f"likeness.{name}") for name in misfire.changed]
        return words.say("wall.changed", what=", ".join(names))

    names = {kind: words.say(KIND_KEYS[kind]) for kind in Kind}
    given = {"misfires": misfires, "names": names, "changes": changes}
    return render("host/wall.html", language=words.language, say=words.say, **given)
