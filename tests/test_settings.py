"""Every setting with values that make no sense: the app starts, or says in one line which one is wrong."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import app
from errors import OperatorError
from services import Services
from settings import Settings, read_settings
from tests.decks import ONE, deck_of

SETTINGS = sorted(Settings.model_fields)
NASTY = [
    *(
        "",
        " ",
        "0",
        "-1",
        "1e999",
        "nan",
        "auto",
        "on",
        "None",
        "\u202e",
        "'; DROP TABLE",
        "x" * 300,
    ),
    *(
        "/proc/x",
        "/dev/null",
        "/etc/hostname",
        "~",
        "..",
        "a/b/c",
        "c:\\x",
        "999.1.1.1",
        "8.8.8.8",
        "::1",
        "65536",
    ),
    *("http://", "http://[bad", "ftp://x", "https://u:p@x", "http://x?y", "http://x:99999", "x.example.org"),
    *("sqlite://", "sqlite:////proc/x", "sqlite:////tmp", "postgres://u@h/v", "postgresql//u@h/v"),
    *(
        "postgresql://u@127.0.0.1:port/v",
        "postgresql://u@127.0.0.1:1/v",
        "postgresql://u@127.0.0.1:1,127.0.0.1:2/v",
    ),
    *("postgresql://u@127.0.0.1:1/v?nonsense=1", "mysql://u@h/v", "postgresql+none://u@h/v"),
]
VALUES = st.sampled_from(NASTY) | st.text(
    st.characters(exclude_characters="\0/", exclude_categories=("Cs",)), max_size=40
)


@pytest.mark.parametrize("name", SETTINGS)
def test_no_value_of_a_setting_ends_in_a_traceback(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("here", "deck"):
        (tmp_path / folder).mkdir()
    monkeypatch.setenv("FACE_VALUE_DECK", str(deck_of(tmp_path / "deck", ONE)))
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(app, "serve", check)
    monkeypatch.setattr(sys, "setswitchinterval", lambda _: None)
    monkeypatch.setattr(os, "umask", lambda _: None)

    @settings(max_examples=10, suppress_health_check=list(HealthCheck))
    @given(VALUES)
    def run(value: str) -> None:
        monkeypatch.setenv(f"FACE_VALUE_{name.upper()}", value)
        code = app.main()
        told = capsys.readouterr().err
        assert (code, told.count("\n")) in ((0, 0), (0, 1), (2, 1)), told
        assert code == 0 or "Traceback" not in told

    run()


def check(settings: Settings, services: Services) -> None:
    """As far as a start goes before Gradio has the port."""
    app.require_address(settings)
    services.store.close()
    services.finder.close()
    services.studio.close()
    if services.frame_judge:
        services.frame_judge.close()


@pytest.mark.parametrize(
    "address", ["x.example.org", "ftp://x", "http://[bad", "https://u:p@x", "http://x?y", "/x"]
)
def test_a_public_address_that_is_none_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("FACE_VALUE_PUBLIC_URL", address)
    with pytest.raises(OperatorError, match=r"^FACE_VALUE_PUBLIC_URL = '.*'\. A web address like https://"):
        read_settings()


def test_an_operators_error_is_one_line_whatever_it_quotes() -> None:
    assert str(OperatorError("FACE_VALUE_DECK = a\n b: no folder.")) == "FACE_VALUE_DECK = a  b: no folder."
