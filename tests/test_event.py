"""An evening in one file: what it sets holds, the environment wins, a mistake is named by file and key."""

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

import app
import services as building
from errors import OperatorError
from pages.booth.screens.look import LookScreen
from pages.guards.gate import Gate
from pages.logo import MOST_BYTES, Logo, logo_route, read_logo
from pages.markup import event, render
from pages.theme import booth_head, host_head, style_routes
from services import Services, announce, offered
from settings import EVENT_KEYS, Settings, read_settings
from tests.test_booth import page_of
from tests.test_booth import services as services  # the fixture
from votes.rounds import Scene
from words import read_words

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "event.toml"
WORDS = read_words()
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">{}</svg>'


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "event.toml"
    monkeypatch.setenv("FACE_VALUE_EVENT", str(path))
    return path


def test_the_example_sets_every_key_and_is_the_one_of_the_docs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACE_VALUE_EVENT", str(EXAMPLE))
    settings = read_settings()
    keys = {key for keys in EVENT_KEYS.values() for key in keys}
    assert keys <= settings.model_fields_set
    assert (settings.name, settings.looks, settings.timer) == (
        "Long Night of Portraits",
        ("corporate", "grey"),
        30,
    )
    assert settings.deck == EXAMPLE.parent / "deck"
    assert settings.logo
    assert read_logo(settings.logo, settings.spell("logo")).media_type == "image/svg+xml"
    shown = re.search(r"```toml\n(.*?)```", (ROOT / "docs/settings.md").read_text("utf-8"), re.DOTALL)
    assert shown
    assert EXAMPLE.read_text("utf-8").endswith(shown[1])


def test_the_environment_wins(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('name = "File"\n[room]\ntimer = 30\n[booth]\nlooks = ["white"]\n', encoding="utf-8")
    assert (read_settings().name, read_settings().timer) == ("File", 30)
    monkeypatch.setenv("FACE_VALUE_TIMER", "60")
    monkeypatch.setenv("FACE_VALUE_LOOKS", "black, grey")
    assert (read_settings().name, read_settings().timer) == ("File", 60)
    assert read_settings().looks == ("black", "grey")
    assert (read_settings().spell("timer"), read_settings().spell("name")) == (
        "FACE_VALUE_TIMER",
        "event.toml: name",
    )
    monkeypatch.setenv("FACE_VALUE_TIMER", "")  # empty: not set
    assert read_settings().timer == 30


BROKEN = {
    "name = 3": "name = 3. Input should be a valid string",
    'name = "a\\u202eb"': "name = 'a\\u202eb'. Letters, digits and signs that can be printed",
    'accent = "green"': "accent = 'green'. Input should be 'on' or 'off'",
    "accent = false": "accent = False. Input should be 'on' or 'off'",
    'mode = "space"': "mode = 'space'. Input should be 'laptop' or 'kiosk'",
    "[room]\ntimer = 7": "room.timer = 7. One of 0, 20, 30, 60",
    "[room]\nname = 7": "room.name = 7. Extra inputs are not permitted",
    "[booth]\nlooks = []": "booth.looks = []. Value should have at least 1 item",
    '[booth]\nlooks = ["warm"]': "booth.looks = ['warm']. Each of black, corporate, ",
    '[booth]\nlooks = ["grey", "grey"]': "booth.looks = ['grey', 'grey']. Each of black, ",
    '[booth]\nexpressions = ["grin"]': "booth.expressions = ['grin']. Each of relaxed, ",
    "[booth]\nvariations = 3": "booth.variations = 3. One of 1, 2, 4",
    "[booth]\nretention_minutes = 0": "booth.retention_minutes = 0. Input should be greater",
    '[booth]\nshow_hours = "all"': "booth.show_hours = 'all'. Input should be a valid integer",
    "[booth]\nidle_seconds = 1": "booth.idle_seconds = 1. Input should be greater than or equal to 15",
    "[door]\nopen = 1": "door = {'open': 1}. Extra inputs are not permitted",
    "port = 80": "port = 80. Extra inputs are not permitted",
    "booth = 3": "booth = 3. Input should be a valid dictionary",
    "name = ": "Invalid value (at end of document)",
    'name = "a"\nname = "b"': "Cannot overwrite a value",
}


@pytest.mark.parametrize("text", BROKEN)
def test_a_file_that_is_wrong_is_named_with_its_key_and_rule(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(OperatorError) as told:
        read_settings()
    assert str(told.value).startswith(f"event.toml: {BROKEN[text]}")
    assert "\n" not in str(told.value)


def test_a_file_that_is_not_there_is_named(file: Path) -> None:
    with pytest.raises(OperatorError, match=r"^event\.toml cannot be read\."):
        read_settings()


# ---- what it does


def test_the_room_has_the_events_name_and_timer_from_each_start_on(services: Services) -> None:
    room = services.board.room
    room.change(event="As the host typed it", seconds=20)
    assert announce(room, Settings()).snapshot().room.event == "As the host typed it"
    now = announce(room, Settings(name="Long Night", timer=0)).snapshot().room
    assert (now.event, now.seconds) == ("Long Night", 0)


def test_only_the_events_looks_expressions_and_number_are_offered_first_one_first(services: Services) -> None:
    settings = Settings(looks=("white", "black"), expressions=(), variations=1)
    few = replace(
        services,
        settings=settings,
        looks=offered(services.looks, settings.looks),
        expressions=offered(services.expressions, settings.expressions),
    )
    screen = page_of(few)[0].look
    assert isinstance(screen, LookScreen)
    assert (screen.look.value, screen.count.value, screen.make_button.value) == (
        "white",
        "1",
        "Make 1 portrait",
    )
    assert not screen.expression.visible
    frames = re.findall(r'name="look" value="(\w+)"', str(screen.look.html_template))
    assert frames == ["white", "black"]
    visit = services.visits.of("one", None)
    with pytest.raises(OperatorError, match="does not offer"):
        screen._order("grey", "", "1", "0", visit)
    assert few.look_titles["grey"]  # a deck may have it


def test_first_screen_and_stage_say_whose_event_it_is(services: Services) -> None:
    assert event(Settings()) == ""
    shown = replace(services, settings=Settings(name="A & B", date="28 November", logo=Path("x.png")))
    for html in (page_of(shown)[0].welcome.column.children, [event(shown.settings)]):
        said = " ".join(str(getattr(part, "value", part)) for part in _parts(html))
        assert re.search(r'src="logo".*A &amp; B.*28 November', said)
    view = type(
        "View", (), {"services": shown, "say": staticmethod(lambda *_, **__: ""), "shows_code": False}
    )
    view.link = "x"  # type: ignore[attr-defined]
    assert 'src="logo"' in render(f"stage/{Scene.READY}.html", view=view)


def _parts(children: object) -> list[object]:
    found = []
    for child in children if isinstance(children, list) else []:
        found += [child, *_parts(getattr(child, "children", []))]
    return found


def test_without_an_accent_no_page_has_a_red_pencil() -> None:
    plain = TestClient(Starlette(routes=style_routes(has_accent=False))).get("/style/tokens.css")
    usual = TestClient(Starlette(routes=style_routes())).get("/style/tokens.css")
    assert plain.headers["content-type"].startswith("text/css")
    assert plain.text.startswith(usual.text)
    assert re.findall(r"(--fv-mark[\w-]*): [^;]+ !important", plain.text) == [
        "--fv-mark",
        "--fv-mark-on-card",
    ]
    assert "important" not in usual.text


# ---- the logo


def png(size: tuple[int, int]) -> bytes:
    file = io.BytesIO()
    Image.new("RGBA", size, (255, 255, 255, 0)).save(file, "PNG")
    return file.getvalue()


def test_a_drawing_and_a_picture_are_taken_and_served_as_what_cannot_run(tmp_path: Path) -> None:
    drawing = tmp_path / "a.svg"
    drawing.write_text(SVG.format('<g id="a" style="fill:url(#a)"/><use href="#a"/>'), encoding="utf-8")
    picture = tmp_path / "a.png"
    picture.write_bytes(png((64, 32)))
    assert read_logo(picture, "logo").media_type == "image/png"
    route = logo_route(read_logo(drawing, "logo"), WORDS)
    client = TestClient(Starlette(routes=[route], middleware=[Middleware(Gate, False, None, "no")]))
    answer = client.get("/logo")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert TestClient(Starlette(routes=[logo_route(None, WORDS)])).get("/logo").status_code == 404


def test_the_logo_is_not_taken_for_a_code_of_the_room(services: Services) -> None:
    with_logo = replace(services, logo=Logo(png((4, 4)), "image/png"))
    answer = TestClient(Starlette(routes=app.plain_routes(with_logo))).get("/logo")
    assert answer.headers["content-type"] == "image/png"


UNFIT = {
    "a script": SVG.format("<script>alert(1)</script>"),
    "an event": SVG.format('<path onload="x()"/>'),
    "a page": SVG.format("<foreignObject/>"),
    "a change later": SVG.format("<a><animateTransform/></a>"),
    "elsewhere": SVG.format('<image href="https://example.org/a.png"/>'),
    "elsewhere, the old way": SVG.format(
        '<image xmlns:x="http://www.w3.org/1999/xlink" x:href="//example.org"/>'
    ),
    "a style from elsewhere": SVG.format("<style>@import 'https://example.org'</style>"),
    "a fill from elsewhere": SVG.format('<path style="fill: url( &quot;https://example.org/a&quot;)"/>'),
    "another drawing": SVG.format('<image href="data:image/svg+xml;base64,AA"/>'),
    "a link that runs": SVG.format('<a href="javascript:alert(1)"/>'),
    "entities": '<!DOCTYPE svg [<!ENTITY a "aaaa">]>' + SVG.format("&a;"),
    "no drawing": "<html/>",
    "nothing": "",
    "too much": SVG.format(" " * MOST_BYTES),
    "a broken picture": "\x89PNG\r\n\x1a\n....",
}


@pytest.mark.parametrize("what", UNFIT)
def test_a_logo_that_runs_fetches_or_is_none_is_refused_by_file_and_key(tmp_path: Path, what: str) -> None:
    path = tmp_path / "logo.svg"
    path.write_bytes(UNFIT[what].encode("latin-1"))
    with pytest.raises(OperatorError, match=r"^event\.toml: logo = 'logo\.svg'\. .+\.$"):
        read_logo(path, "event.toml: logo")


def test_a_logo_of_wide_pixels_or_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "wide.png").write_bytes(png((5000, 1)))
    for name in ("wide.png", "nosuch.png", ""):
        with pytest.raises(OperatorError, match=r"^FACE_VALUE_LOGO = "):
            read_logo(tmp_path / name, "FACE_VALUE_LOGO")


def test_the_services_are_built_as_the_file_says(file: Path, tmp_path: Path) -> None:
    (tmp_path / "logo.svg").write_text(SVG.format(""), encoding="utf-8")
    file.write_text(
        'name = "Long Night"\nlogo = "logo.svg"\n[booth]\nmodels = "mini"\nlooks = ["white"]\n',
        encoding="utf-8",
    )
    built = building.build_services(read_settings().model_copy(update={"data": tmp_path / "data"}), WORDS)
    try:
        assert list(built.looks) == ["white"]
        assert built.logo
        assert built.board.room.snapshot().room.event == "Long Night"
        (tmp_path / "logo.svg").write_text("no", encoding="utf-8")
        with pytest.raises(OperatorError, match=r"^event\.toml: logo = 'logo\.svg'\. An SVG or a PNG\.$"):
            building.build_services(read_settings().model_copy(update={"data": tmp_path / "data"}), WORDS)
    finally:
        for one in (built.store, built.finder, built.studio, built.frame_judge):
            one.close()  # type: ignore[union-attr]


def test_the_booths_page_learns_how_long_it_waits() -> None:
    head = booth_head(read_words(), Settings(idle_seconds=45, leave_seconds=15))
    assert re.search(r'page\.js"[^>]* data-idle="45" data-leave="15"', head)


def test_the_camera_is_silent_unless_the_operator_asks() -> None:
    assert "sounds" not in booth_head(WORDS, Settings())
    assert "style/sounds.js" in booth_head(WORDS, Settings(sounds="on"))
    assert "sounds" not in host_head(WORDS)
