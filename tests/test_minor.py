"""Who is under 16 gets portraits, and nothing of them is ever offered to the room."""

import html
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from booth.visit import ScreenName
from pages.components.consent import is_minor
from pipelines.selfie.photo import Photo
from services import Services
from tests.test_booth import TICKED, WORDS, Lightener, sat_down, services, visit_of, visitor
from tests.test_climbing import climbed, sat

__all__ = ["services"]  # the fixture
MINOR = json.dumps({"agreed": True, "minor": True})
CHOSEN = json.dumps({"chosen": 0})


def why(key: str, told: Any) -> bool:
    """Whether that sentence is shown."""
    return WORDS.say(key) in html.unescape(str(told))


@pytest.mark.parametrize(
    ("ticks", "found"),
    [
        (MINOR, True),
        (TICKED, False),
        ('{"agreed": true}', False),
        ("", False),
        ('{"minor": "false"}', True),  # what is no plain no protects
        ('{"minor": 1}', True),
        ("[true]", False),
    ],
)
def test_the_second_tick_is_read(ticks: str, found: bool) -> None:
    assert is_minor(ticks) is found


def test_a_minor_is_offered_no_tick_to_be_shown_and_is_told_why(services: Services, astronaut: Photo) -> None:
    painter: Any = Lightener(13)
    services = replace(services, generator=painter)  # a portrait that would do for the wall
    does, on, updates = sat_down(services, astronaut, "1")
    assert updates[-1][on.result.stage].visible and updates[-1][on.result.wall].visible
    does.consent.agree(MINOR, visitor())
    told = does.welcome.go(ScreenName.RESULT)(visitor())
    assert not told[on.result.stage].visible and not told[on.result.wall].visible
    assert why("show.minor", told[on.result.words])
    goodbye = does.welcome.go(ScreenName.GOODBYE)(visitor())
    assert not goodbye[on.goodbye.band].visible and goodbye[on.goodbye.fair] == ""


def test_a_forged_leave_of_a_minor_is_refused_in_one_sentence(services: Services, astronaut: Photo) -> None:
    painter: Any = Lightener(13)
    services = replace(services, generator=painter)
    does, on, _ = sat_down(services, astronaut, "1")
    does.consent.agree(MINOR, visitor())
    stage = does.result.allow_stage(TICKED, CHOSEN, visitor())[on.result.show_note]
    wall = does.result.allow_misfire(TICKED, CHOSEN, visitor())[on.result.misfire_note]
    assert why("show.minor", stage) and why("show.minor", wall)
    assert why("fair.minor", does.goodbye.tell_skin_tone("7", visitor())[on.goodbye.notice])
    assert services.album.offers() == () and services.store.drifts() == []
    assert visit_of(services).sharing.code == ""


def test_neither_is_a_ladder_of_theirs(services: Services, astronaut: Photo) -> None:
    services, does, on, climbs = sat(services, astronaut)
    last = climbed(climbs)[-1]
    assert last[on.ladder.stage].visible
    does.consent.agree(MINOR, visitor())
    told = does.welcome.go(ScreenName.LADDER)(visitor())
    assert not told[on.ladder.stage].visible and why("show.minor", told[on.ladder.steps])
    refused = climbs.allow(TICKED, last[on.ladder.portraits].value, visitor())
    assert why("show.minor", refused[on.ladder.code])
    assert services.album.offers() == ()


def test_the_latest_consent_counts_and_takes_back_what_was_allowed(
    services: Services, astronaut: Photo, tmp_path: Path
) -> None:
    painter: Any = Lightener(13)
    services = replace(services, generator=painter)
    does, on, _ = sat_down(services, astronaut, "1")
    does.result.allow_stage(TICKED, CHOSEN, visitor())
    does.result.allow_misfire(TICKED, CHOSEN, visitor())
    does.goodbye.tell_skin_tone("7", visitor())
    (item,) = services.board.catalogue.approve(
        next(waiting for waiting, found in services.board.catalogue.waiting() if not found.is_misfire)
    )
    code = visit_of(services).sharing.code
    does.consent.agree(MINOR, visitor())
    assert (
        services.album.offers() == ()
        and services.store.drifts() == []
        and visit_of(services).sharing.skin_tone == 0
    )
    assert services.board.catalogue.item(item) is None and not services.album.withdraw(code)
    does.consent.agree(TICKED, visitor())  # the grown-up's turn
    told = does.welcome.go(ScreenName.RESULT)(visitor())
    assert told[on.result.stage].visible and told[on.result.show_note] == ""
    does.result.allow_stage(TICKED, CHOSEN, visitor())
    assert len(services.album.offers()) == 1


def test_whoever_comes_after_a_minor_is_asked_anew(services: Services, astronaut: Photo) -> None:
    does, _, _ = sat_down(services, astronaut, "1")
    for ended in (does.delete.delete, does.welcome.leave):
        does.consent.agree(MINOR, visitor())
        assert visit_of(services).sharing.is_minor
        ended(visitor())
        assert not visit_of(services).sharing.is_minor
