"""Paper: one sheet with photograph and portrait, on a real CUPS; no job piles up, none stays."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from booth.paper import MOST_WAITING, PaperPrinter
from errors import OperatorError, VisitorError
from pipelines.arrays import Pixels
from pipelines.lettering import unwritable
from pipelines.paper import MARGIN, PICTURE, SHEET, as_pdf, lay_out_sheet
from services import warn_of_letters
from settings import read_settings
from tests.cups import NO_PAPER, SLOW, Cups, require_cups, serving_cups

RED, BLUE = (np.full((1350, 1080, 3), colour, np.uint8) for colour in ((200, 0, 0), (0, 0, 200)))
SHEET_OF_TWO = lay_out_sheet(
    (RED, BLUE), ("Foto, neuer Hintergrund", "KI-Porträt"), "Eine Nacht · Face Value"
)
PDF = as_pdf(SHEET_OF_TWO)


pytestmark = pytest.mark.app  # CUPS is one


@pytest.fixture(scope="module")
def cups() -> Iterator[Cups]:
    require_cups()
    with serving_cups() as cups:
        cups.add_driver("empty", NO_PAPER)
        cups.add_driver("slow", SLOW)
        yield cups


# ---- the sheet


def test_photograph_and_portrait_stand_side_by_side_with_their_names_below() -> None:
    assert SHEET_OF_TWO.shape == (SHEET[1], SHEET[0], 3)
    height, width = PICTURE[1], PICTURE[0]
    left = SHEET_OF_TWO[MARGIN : MARGIN + height, MARGIN : MARGIN + width]
    right = SHEET_OF_TWO[MARGIN : MARGIN + height, SHEET[0] - MARGIN - width : SHEET[0] - MARGIN]
    assert (left == RED[0, 0]).all() and (right == BLUE[0, 0]).all()
    for column in (slice(MARGIN, MARGIN + width), slice(SHEET[0] - MARGIN - width, SHEET[0] - MARGIN)):
        assert (SHEET_OF_TWO[MARGIN + height : SHEET[1] - 50, column] < 128).any()  # a name
    assert (SHEET_OF_TWO[-8:] == 255).all()  # nothing where the paper is cut


@pytest.mark.parametrize("letter", "äöüÄÖÜßéèêçñ¿¡·’“”„")
def test_every_letter_of_our_languages_is_written(letter: str) -> None:
    written = lay_out_sheet((RED, BLUE), (letter, ""), "")
    assert (written[MARGIN + PICTURE[1] :] < 128).any()
    box = lay_out_sheet((RED, BLUE), ("\uffff", ""), "")  # what stands for a letter that is not there
    assert (written != box).any()


def test_an_events_name_in_another_european_script_is_written_letter_by_letter() -> None:
    for name in ("Łódź", "Žluťoučký kůň", "İstanbul ığş", "Αθήνα ώ", "Ярославль ї"):
        assert unwritable(name) == ""
        foot = foot_of(name)
        for place, letter in enumerate(name):
            there = name[:place] + "\uffff" + name[place + 1 :]
            assert letter == " " or foot_of(there).tobytes() != foot.tobytes(), letter


def test_letters_that_no_typeface_of_ours_has_are_named_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    event = tmp_path / "event.toml"
    event.write_text('name = "Nuit à 京都"\n[booth]\nprinter = "photo"', encoding="utf-8")
    monkeypatch.setenv("FACE_VALUE_EVENT", str(event))
    warn_of_letters(read_settings())
    assert [record.getMessage() for record in caplog.records] == [
        "event.toml: name = 'Nuit à 京都'. On paper it is left out: our typefaces have no 京都."
    ]


def foot_of(line: str) -> Pixels:
    """What is written at the foot of a sheet."""
    return lay_out_sheet((RED, BLUE), ("", ""), line)[SHEET[1] - MARGIN :]


def test_a_long_name_of_an_event_stays_on_the_sheet() -> None:
    written = lay_out_sheet((RED, BLUE), ("x" * 90, "AI portrait"), "An evening " * 30)
    assert (written[:, -MARGIN:] == 255).all()


# ---- the printer


def test_a_sheet_is_printed_and_nothing_of_it_stays(cups: Cups) -> None:
    printer, before = PaperPrinter("pdf", cups.server), len(cups.printed)
    printer.print_sheet(PDF, patience_s=60)
    assert len(cups.printed) == before + 1
    assert cups.printed[-1].read_bytes().startswith(b"%PDF")
    assert cups.spooled == []
    assert printer.last_trouble == ""


def test_a_printer_without_paper_is_one_sentence_and_its_sheet_is_taken_back(cups: Cups) -> None:
    printer = PaperPrinter("empty", cups.server)
    for _ in range(2):  # the second time it is known before
        with pytest.raises(VisitorError, match=r"paper\.paper"):
            printer.print_sheet(PDF, patience_s=60)
        assert (cups.spooled, printer.last_trouble) == ([], "paper")


def test_what_does_not_come_out_in_time_is_taken_back(cups: Cups) -> None:
    printer = PaperPrinter("slow", cups.server)
    with pytest.raises(VisitorError, match=r"paper\.failed"):
        printer.print_sheet(PDF, patience_s=1)
    assert cups.spooled == []


def test_jobs_do_not_pile_up_and_none_outlives_the_program(cups: Cups) -> None:
    printer, failures = PaperPrinter("slow", cups.server), list[str]()

    def print_one() -> None:
        try:
            printer.print_sheet(PDF, patience_s=60)
        except VisitorError as error:
            failures.append(error.key)

    threads = [threading.Thread(target=print_one) for _ in range(MOST_WAITING + 2)]
    for thread in threads:
        thread.start()
    while len(failures) < 2 or len(cups.spooled) < MOST_WAITING:
        time.sleep(0.1)
    assert failures == ["paper.busy"] * 2
    printer.close()
    for thread in threads:
        thread.join()
    assert cups.spooled == []


def test_an_unknown_printer_is_told_at_the_start(cups: Cups) -> None:
    with pytest.raises(OperatorError, match="FACE_VALUE_PRINTER = 'none': CUPS knows no printer"):
        PaperPrinter("none", cups.server)


def test_a_cups_that_is_gone_is_one_sentence_and_no_reason_not_to_start() -> None:
    require_cups()
    printer = PaperPrinter("pdf", "127.0.0.1:9")
    with pytest.raises(VisitorError, match=r"paper\.away"):
        printer.print_sheet(PDF)
