"""Is this machine ready for tonight? Each question has an answer for each state, in each language."""

import os
import shutil
import sys
from collections import namedtuple
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from booth.paper import PaperPrinter
from errors import VisitorError
from pipelines.marks.certificates import credential
from pipelines.printer import KINDS
from pipelines.tonight import (
    Finding,
    ask,
    find_own_address,
    look_around,
    probe_browser,
    probe_camera,
    probe_certificate,
    probe_clock,
    probe_disk,
    probe_memory,
    probe_network,
    probe_power,
    probe_printer,
    probe_sets,
)
from settings import Settings
from tests.cups import NO_PAPER, SLOW, require_cups, serving_cups
from tests.test_paper import PDF
from words import read_words

HALL = Settings(bind="0.0.0.0")


def saying(**answers: str) -> object:
    """Commands of a system, by their first word or by the setting that they ask for."""
    return lambda *command: answers.get(command[-1].replace("-", "_"), answers.get(command[0], ""))


def found(finding: Finding) -> tuple[str, bool | None]:
    """With its sentence in every language, which needs the values that the finding has."""
    words = read_words()
    assert all(words.say(f"tonight.{finding.key}", language, **finding.values) for language in words.complete)
    return finding.key, finding.is_ready


@pytest.mark.skipif(os.name != "posix", reason="Linux lists cameras below /dev")
def test_a_camera_is_plugged_in_and_allowed_at_the_address(tmp_path: Path) -> None:
    assert found(probe_camera(Settings(), tmp_path)) == ("camera_none", False)
    (tmp_path / "video0").touch()
    assert found(probe_camera(Settings(), tmp_path)) == ("camera", True)
    assert found(probe_camera(HALL, tmp_path)) == ("camera_refused", False)
    assert found(probe_camera(Settings(bind="0.0.0.0", mode="kiosk"), tmp_path)) == ("camera", True)
    https = Settings(bind="0.0.0.0", public_url="https://booth.example")
    assert found(probe_camera(https, tmp_path)) == ("camera", True)


def test_a_browser_is_found_by_any_of_its_names() -> None:
    finding = probe_browser(lambda name: "/x" if name == "google-chrome" else None)
    assert (found(finding), finding.values["name"]) == (("browser", True), "google-chrome")
    assert found(probe_browser(lambda _: None)) == ("browser_none", False)


def test_phones_are_told_an_address_that_is_not_this_machine_alone() -> None:
    assert found(probe_network(Settings())) == ("network_here", False)
    assert found(probe_network(HALL, lambda: "127.0.0.1")) == ("network_none", False)
    here = probe_network(HALL, lambda: "192.168.4.1")
    assert (found(here), here.values["address"]) == (("network", True), "http://192.168.4.1:7860")
    assert found(probe_network(Settings(public_url="https://booth.example"))) == ("network", True)
    assert find_own_address().count(".") == 3


def test_a_disk_that_is_nearly_full_is_told_also_before_the_folder_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage, asked = namedtuple("usage", "free"), []
    monkeypatch.setattr(shutil, "disk_usage", lambda path: asked.append(path) or usage(3.9e9))
    assert found(probe_disk(tmp_path / "not" / "yet")) == ("disk_full", False)
    assert asked == [tmp_path]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(4.1e9))
    assert found(probe_disk(tmp_path)) == ("disk", True)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Timezone=UTC\nNTPSynchronized=yes\n", ("clock", True)),
        ("NTP=yes\nNTPSynchronized=no\n", ("clock_unset", False)),
        ("", ("clock_unknown", None)),
    ],
)
def test_a_clock_is_set_by_the_network_or_not_or_nobody_knows(
    said: str, expected: tuple[str, bool | None]
) -> None:
    assert found(probe_clock(saying(timedatectl=said))) == expected  # type: ignore[arg-type]


def test_a_certificate_is_valid_by_this_clock(tmp_path: Path) -> None:
    settings, now = Settings(data=tmp_path), datetime.now(UTC)
    assert found(probe_certificate(settings)) == ("certificate_none", True)
    credential(tmp_path)
    assert found(probe_certificate(settings)) == ("certificate", True)
    assert found(probe_certificate(settings, now + timedelta(days=4000))) == ("certificate_over", False)
    assert found(probe_certificate(settings, now - timedelta(days=400))) == ("certificate_over", False)
    wrong = Settings(data=tmp_path, signing_certificate=tmp_path / "nosuch.pem")
    assert found(probe_certificate(wrong)) == ("certificate_wrong", False)


def test_a_model_set_is_whole_on_this_machine_or_named(tmp_path: Path) -> None:
    missing = probe_sets(Settings(models="sdxl-quality"), tmp_path)
    assert (found(missing), missing.values["name"]) == (("sets_none", False), "sdxl-quality")
    assert found(probe_sets(Settings(models="nosuch"), tmp_path)) == ("sets_none", False)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"idle_delay": "uint32 0\n", "sleep_inactive_ac_type": "'nothing'"}, ("power", True)),
        ({"idle_delay": "uint32 300\n"}, ("power_blank", False)),
        ({"idle_delay": "uint32 0\n", "q": "  timeout:  600    cycle:  600\n"}, ("power_blank", False)),
        ({"idle_delay": "uint32 0\n", "sleep_inactive_ac_type": "'suspend'\n"}, ("power_sleep", False)),
        ({"q": "  timeout:  0    cycle:  600\n"}, ("power", True)),
        ({}, ("power_unknown", None)),
    ],
)
def test_a_screen_stays_on_or_it_is_told_when_not(
    answers: dict[str, str], expected: tuple[str, bool | None]
) -> None:
    assert found(probe_power(saying(**answers), "ubuntu:GNOME")) == expected  # type: ignore[arg-type]


def test_gnomes_settings_are_not_believed_where_gnome_does_not_run() -> None:
    settings = saying(idle_delay="uint32 300\n")
    assert found(probe_power(settings, "sway")) == ("power_unknown", None)  # type: ignore[arg-type]


@pytest.mark.app  # CUPS is one
def test_a_printer_is_told_as_the_booth_finds_it() -> None:
    require_cups()
    with serving_cups() as cups:
        cups.add_driver("slow", SLOW)
        cups.add_driver("empty", NO_PAPER)
        with pytest.raises(VisitorError):
            PaperPrinter("empty", cups.server).print_sheet(PDF, patience_s=60)
        said = {name: found(probe_printer(name, cups.server)) for name in ("slow", "empty", "none")}
    assert said == {
        "slow": ("printer", True),
        "empty": ("printer_paper", False),
        "none": ("printer_unknown", False),
    }
    assert found(probe_printer("slow", cups.server)) == ("printer_away", False)


@pytest.mark.parametrize("trouble", sorted(KINDS))
def test_each_trouble_of_a_printer_has_its_sentence(trouble: str) -> None:
    words = read_words()
    assert all(f"tonight.printer_{trouble}" in words.tables[language] for language in words.complete)


def test_without_pycups_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cups", None)
    finding = probe_printer("Selphy")
    assert found(finding) == ("printer_wrong", False) and "pip install pycups" in str(finding.values["why"])


def test_free_memory_is_told_where_the_system_tells(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    assert found(probe_memory(meminfo)) == ("memory_unknown", None)
    meminfo.write_text("MemTotal:       16000000 kB\nMemFree: 1 kB\nMemAvailable:    8000000 kB\n")
    finding = probe_memory(meminfo)
    assert (found(finding), finding.values) == (("memory", True), {"free": "8", "all": "16"})


def test_a_command_that_is_missing_or_fails_says_nothing(tmp_path: Path) -> None:
    assert ask("no-such-command-of-any-system") == ""
    assert ask("ls", str(tmp_path / "nosuch")) == ""


def test_every_question_is_answered_on_this_machine_too(tmp_path: Path) -> None:
    assert len([found(finding) for finding in look_around(Settings(data=tmp_path))]) == 9
