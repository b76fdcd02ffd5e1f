"""Votes are copied while they come in, and put back only where none are."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from votes.__main__ import main
from votes.schema import Guess, Item, Kind, VoterId
from votes.store import Store


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACE_VALUE_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def url(data: Path) -> str:
    return f"sqlite:///{data}/votes.sqlite3"


def test_a_copy_taken_in_use_brings_every_vote_back(data: Path, tmp_path: Path) -> None:
    with Store(url(data)) as store:
        asked = store.round_of(Item("picture", Kind.GENERATED, "grey", "mini", "plate"))
        store.record(Guess(asked.id, VoterId("ada"), Kind.GENERATED, False, 1.0, datetime.now(UTC)))
        assert main(["backup", str(tmp_path / "copy")]) == 0
        kept = store.guesses()
    for file in data.iterdir():
        file.unlink()
    assert main(["restore", str(tmp_path / "copy")]) == 0
    with Store(url(data)) as store:
        assert store.guesses() == kept


def test_nothing_is_written_over(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Store(url(data)).close()
    assert main(["backup", str(tmp_path / "copy")]) == 0
    for command in ("backup", "restore"):
        assert main([command, str(tmp_path / "copy")]) == 2
        assert "exists" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_what_is_not_there_is_one_sentence(
    data: Path, tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, str(tmp_path / "copy")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and str(tmp_path) not in said


def test_no_foreign_file_is_restored(data: Path, tmp_path: Path) -> None:
    (tmp_path / "song").write_bytes(b"la la la" * 100)
    assert main(["restore", str(tmp_path / "song")]) == 2
    assert not data.exists()


def test_postgresql_is_left_to_its_own_tools(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FACE_VALUE_DATABASE", "postgresql://nobody@/nothing")
    assert main(["backup", str(tmp_path / "copy")]) == 2
    assert "pg_dump" in capsys.readouterr().err
