"""The guesses as files: one row each, openable by a spreadsheet, and no voter to be found in them."""

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from votes.__main__ import main
from votes.export import COLUMNS, FORMULA_STARTS, as_csv, as_json, method, rows
from votes.schema import Guess, Item, Kind, Round, RoundId, Trial, VoterId
from votes.store import Store

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
ITEM = Item("picture-1", Kind.PHOTOGRAPH, "grey", "mini", "plate", None, rehearsal=True)
DRAWN = replace(ITEM, id="picture-2", truth=Kind.GENERATED, look="black", expression="relaxed")


def trial(voter: str, item: Item, said: Kind, exposed: bool = False, minute: int = 0) -> Trial:
    round_ = Round(RoundId(f"about {item.id}"), item, NOON)
    guess = Guess(round_.id, VoterId(voter), said, exposed, 2.54321, NOON + timedelta(minutes=minute))
    return Trial(round_, guess)


def a_room() -> list[Trial]:
    """Twelve voters: all see the portrait, nine of them the photograph as such; two saw it being made."""
    drawn = [trial(f"secret-{i}", DRAWN, Kind.GENERATED, minute=i) for i in range(12)]
    plates = [
        trial(f"secret-{i}", ITEM, Kind.PHOTOGRAPH if i < 9 else Kind.GENERATED, minute=30 + i)
        for i in range(12)
    ]
    return [*drawn, *plates, *(trial(f"made-{i}", ITEM, Kind.GENERATED, exposed=True) for i in range(2))]


def test_a_row_says_what_was_asked_what_is_true_and_what_was_answered() -> None:
    first, second = rows([trial("ada", ITEM, Kind.GENERATED), trial("bob", DRAWN, Kind.GENERATED)], "Rome")
    assert tuple(first) == COLUMNS
    assert first["event"] == "Rome"
    assert (first["truth"], first["answer"], first["right"]) == ("photograph", "generated", False)
    assert (second["truth"], second["answer"], second["right"]) == ("generated", "generated", True)
    assert (first["look"], first["model_set"], first["start"]) == ("grey", "mini", "plate")
    assert (first["rehearsal"], first["exposed"], first["source"]) == (True, False, "booth")
    assert (first["seconds"], first["at"]) == (2.543, "2026-11-24T12:00:00.000+00:00")
    assert (first["expression"], second["expression"]) == (None, "relaxed")


def test_voters_are_numbers() -> None:
    table = rows(a_room())
    numbers = [row["voter"] for row in table]
    assert numbers[:12] == numbers[12:24] == list(range(1, 13))
    assert set(numbers[24:]) == {13, 14}
    assert "secret" not in as_csv(table) + as_json(table) + method(a_room(), "1.0")


def test_pandas_and_json_read_the_same_table() -> None:
    table = rows(a_room(), "Rome")
    frame = pandas.read_csv(io.StringIO(as_csv(table)))
    assert tuple(frame.columns) == COLUMNS
    assert len(frame) == len(table)
    assert frame["right"].dtype == bool
    assert frame["right"].tolist() == [row["right"] for row in json.loads(as_json(table))]
    assert frame["seconds"].sum() == pytest.approx(2.543 * len(table))


@given(st.text())
def test_no_cell_starts_a_formula_and_each_comes_back(event: str) -> None:
    text = as_csv(rows([trial("ada", ITEM, Kind.GENERATED)], event))
    ((header, row)) = list(csv.reader(io.StringIO(text, newline="")))
    cell = dict(zip(header, row, strict=True))["event"]
    assert not cell.startswith(FORMULA_STARTS)
    assert cell == (f"'{event}" if event.startswith(FORMULA_STARTS) else event)


def test_the_method_says_who_is_left_out_and_gives_each_set_its_own_table() -> None:
    other = replace(DRAWN, id="picture-3", model_set="sdxl-quality", start="noise", rehearsal=False)
    text = method([*a_room(), trial("ada", other, Kind.PHOTOGRAPH)], "1.0", "Rome")
    assert "Answers: 27, of 15 voters." in text
    assert "Left out below: 2 answers" in text
    assert "| all | 24 | 12 | 88% of 24 |" in text  # 21 right of 24; the exposed would make it 81 %
    assert "| grey | 12 | 12 | 75% of 12 |" in text
    assert "Model set mini (rehearsal), from plate" in text
    assert "Model set sdxl-quality, from noise" in text
    assert "| all | 1 | 1 | 0 of 1 |" in text  # no percentage of so few
    assert "2026-11-24 12:00 to 2026-11-24 12:41 UTC" in text


@pytest.fixture
def event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACE_VALUE_DATA", str(tmp_path / "data"))
    with Store(f"sqlite:///{tmp_path}/data/votes.sqlite3") as store:
        asked = [store.round_of(item) for item in (ITEM, DRAWN)]
        for minute, (voter, one) in enumerate([("ada", asked[1]), ("bob", asked[0]), ("ada", asked[0])]):
            at = NOON + timedelta(minutes=minute)
            store.record(Guess(one.id, VoterId(voter), Kind.GENERATED, False, 1.5, at))
    return tmp_path


def test_the_command_writes_what_the_database_holds(event: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--out", str(event / "out"), "--event", "Rome"]) == 0
    written = (event / "out" / "guesses.csv").read_text(encoding="utf-8-sig")
    assert (event / "out" / "guesses.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    table = list(csv.DictReader(io.StringIO(written)))
    assert [(row["voter"], row["truth"], row["right"]) for row in table] == [
        *(("1", "generated", "true"), ("2", "photograph", "false"), ("1", "photograph", "false")),
    ]
    assert len(json.loads((event / "out" / "guesses.json").read_text(encoding="utf-8"))) == 3
    assert "of Rome" in (event / "out" / "method.md").read_text(encoding="utf-8")
    said = capsys.readouterr()
    assert (said.out.startswith("3 guesses"), said.err) == (True, "")


def test_what_cannot_be_written_or_found_is_one_line(event: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (event / "file").write_text("x")
    assert main(["export", "--out", str(event / "file")]) == 2
    assert main(["export"]) == 2
    (event / "data" / "votes.sqlite3").unlink()
    assert main(["export", "--out", str(event / "none")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert "Name another folder" in lines[0]
    assert "FACE_VALUE_DATA" in lines[2]
    assert not (event / "none").exists()
