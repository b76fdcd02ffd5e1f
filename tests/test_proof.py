"""What a file proves, after whatever was done to it; hostile bytes end in a verdict or in a sentence."""

import io
import os
import random
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from errors import PhotoError
from pipelines.__main__ import main
from pipelines.draw.model_set import read_model_sets
from pipelines.marks import certificates as credentials
from pipelines.marks import manifest_reader
from pipelines.marks import verify as proof
from pipelines.marks.certificates import Chain, known_chain
from pipelines.marks.manifest_reader import read_apart, read_manifest
from pipelines.marks.note import mark
from pipelines.marks.signing import RECIPES, Made, Signer
from pipelines.marks.verify import Proof, ProofVerdict, _judge, _settings, prove
from pipelines.selfie.photo import MAX_BYTES, jpeg_segments
from tests.hostile import ODD, REFUSED, card, encoded, png_chunk, with_jpeg_segment, with_png_chunk
from words import read_words

pytestmark = pytest.mark.app

ROOT = Path(__file__).parents[1]
WORDS = read_words()
MINI = read_model_sets()["mini"]
OURS, FOREIGN = Proof(ProofVerdict.OURS, "ai"), Proof(ProofVerdict.FOREIGN, "ai")
SIZE = (64, 80)


class World:
    """This booth and another one."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "here"
        self.here, self.there = Signer(self.data), Signer(folder / "there")
        self.portrait = self.here.sign(card(*SIZE), "generated", MINI, format="JPEG")
        self.png = self.here.sign(card(*SIZE), "generated", MINI)
        self.foreign = self.there.sign(card(*SIZE), "generated", MINI, format="JPEG")
        own = self.here.own_chain()
        assert own is not None
        self.own: Chain = own


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("booths"))


def manifest_of(file: bytes) -> tuple[int, int]:
    """Where the manifest of a JPEG lies, by its first segment."""
    return next((start, end) for marker, start, end in jpeg_segments(file) if marker == 0xEB)


def flipped(file: bytes, at: int) -> bytes:
    data = bytearray(file)
    data[at] ^= 1
    return bytes(data)


def stripped(file: bytes) -> bytes:
    start, end = manifest_of(file)
    return file[:start] + file[end:]


def saved_again(file: bytes, format: str = "JPEG") -> bytes:
    new = io.BytesIO()
    Image.fromarray(np.asarray(Image.open(io.BytesIO(file)))).save(new, format)
    return new.getvalue()


def quick(file: bytes, own: Chain | None) -> Proof:
    """As `prove`, without a process of its own."""
    mime = proof._manifest_type(file)
    return _judge(read_manifest(file, _settings(own), mime), own) if mime else prove(file, own)


@pytest.mark.parametrize("made", RECIPES)
def test_what_this_booth_made_is_known_as_that(world: World, made: Made) -> None:
    said = {"plate": "photograph", "drawing": "drawing"}.get(made, "ai")
    for format in ("JPEG", "PNG"):
        file = world.here.sign(card(*SIZE), made, MINI, format=format)  # type: ignore[arg-type]
        assert prove(file, world.own) == Proof(ProofVerdict.OURS, said)


def test_whatever_is_done_to_a_file_gets_the_right_verdict(world: World) -> None:
    verdicts = {
        "as it was": (world.portrait, OURS),
        "one byte of the picture": (
            flipped(world.portrait, len(world.portrait) - 40),
            Proof(ProofVerdict.CHANGED),
        ),
        "one byte of the other format": (
            flipped(world.png, len(world.png) - 40),
            Proof(ProofVerdict.CHANGED),
        ),
        "one byte of the statement": (
            world.portrait.replace(b"trainedAlgorithmicMedia", b"trainedAlgorithmicMedib", 1),
            Proof(ProofVerdict.CHANGED),
        ),
        "the note changed": (
            world.portrait.replace(b"xmp:Creator", b"xmq:Creator"),
            Proof(ProofVerdict.CHANGED),
        ),
        "something behind the end": (world.portrait + b"\0", Proof(ProofVerdict.CHANGED)),
        "cut short": (world.portrait[: len(world.portrait) // 2], Proof(ProofVerdict.CHANGED)),
        "manifest taken off": (stripped(world.portrait), Proof(ProofVerdict.NOTE, "ai")),
        "saved again": (saved_again(world.portrait), Proof(ProofVerdict.NONE)),
        "saved as PNG": (saved_again(world.portrait, "PNG"), Proof(ProofVerdict.NONE)),
        "another booth's": (world.foreign, FOREIGN),
        "note only": (mark(card(), "from_plate"), Proof(ProofVerdict.NOTE, "ai")),
        "note of a plate": (mark(card(), "plate"), Proof(ProofVerdict.NOTE, "photograph")),
        "a photo": (encoded(card(), "jpeg"), Proof(ProofVerdict.NONE)),
    }
    found_ = {name: prove(file, world.own) for name, (file, _) in verdicts.items()}
    assert found_ == {name: wanted for name, (_, wanted) in verdicts.items()}


def test_a_manifest_on_another_picture_is_a_change(world: World) -> None:
    start, end = manifest_of(world.portrait)
    other = mark(255 - card(*SIZE), "generated", format="JPEG")
    assert prove(other[:20] + world.portrait[start:end] + other[20:], world.own) == Proof(
        ProofVerdict.CHANGED
    )


def test_no_byte_outside_the_manifest_can_change_unseen(world: World) -> None:
    start, end = manifest_of(world.portrait)
    rng = random.Random(7)
    outside = [*range(2, start), *range(end, len(world.portrait))]
    for at in rng.sample(outside, 300):
        seen = quick(flipped(world.portrait, at), world.own).verdict
        # the length of a segment before it hides a manifest: as if it had been taken off
        assert seen in (ProofVerdict.CHANGED, ProofVerdict.NOTE, ProofVerdict.NONE), at
        assert seen == ProofVerdict.CHANGED or at < start, at


def test_inside_a_manifest_only_padding_can_change_and_then_the_statement_is_the_same(world: World) -> None:
    start, end = manifest_of(world.portrait)
    whole = read_manifest(world.portrait, _settings(world.own), "image/jpeg")
    for at in random.Random(8).sample(range(start, end), 300):
        file = flipped(world.portrait, at)
        if quick(file, world.own).verdict == ProofVerdict.OURS:
            assert read_manifest(file, _settings(world.own), "image/jpeg") == whole


def test_before_its_first_picture_a_booth_knows_no_file_as_its_own(world: World, tmp_path: Path) -> None:
    assert known_chain(tmp_path) is None
    assert prove(world.portrait, known_chain(tmp_path)) == FOREIGN
    assert list(tmp_path.iterdir()) == []  # to check makes no key


def test_a_copy_of_this_booths_names_and_number_is_still_another_signer(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cryptography.x509.random_serial_number", lambda: int(world.own.serial))
    forger = Signer(tmp_path)
    file = forger.sign(card(*SIZE), "generated", MINI, format="JPEG")
    assert forger.own_chain() is not None
    assert forger.own_chain().serial == world.own.serial  # type: ignore[union-attr]
    assert prove(file, world.own) == FOREIGN


def test_other_software_is_not_taken_for_a_booth(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.marks.signing.SOFTWARE", "Other Tool")
    assert prove(world.here.sign(card(*SIZE), "generated", MINI), world.own) == Proof(ProofVerdict.OTHER)


def test_a_certificate_that_has_run_out_is_told_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    since = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - credentials.EARLY
    monkeypatch.setattr(credentials, "LASTS", datetime.now(UTC) + timedelta(seconds=2) - since)
    signer = Signer(tmp_path)
    file, own = signer.sign(card(*SIZE), "generated", MINI), signer.own_chain()
    time.sleep(3)  # the library reads the machine's clock itself
    assert quick(file, own) == Proof(ProofVerdict.CLOCK)


# ---- hostile files


def hostile() -> dict[str, bytes]:
    jumbf = b"JP\0\1\0\0\0\1"
    return {
        "empty box": with_jpeg_segment(0xEB, b"JP"),
        "box of zeros": with_jpeg_segment(0xEB, jumbf + bytes(60_000)),
        "box of ones": with_jpeg_segment(0xEB, jumbf + b"\xff" * 60_000),
        "boxes in boxes": with_jpeg_segment(0xEB, jumbf + b"\0\0\xff\xf0jumb" * 7_000),
        "box of no length": with_jpeg_segment(0xEB, jumbf + b"\0\0\0\0jumb\0\0\0\1jumd"),
        "chunk of nothing": with_png_chunk(png_chunk(b"caBX", b"")),
        "chunk of 8 MB": with_png_chunk(png_chunk(b"caBX", b"\0\x80\0\0jumb" + bytes(2**23))),
        "chunk of boxes": with_png_chunk(png_chunk(b"caBX", b"\0\0\xff\xf0jumb" * 500_000)),
        "chunk cut short": with_png_chunk(png_chunk(b"caBX", b"\0\0\0\x40jumb"))[:60],
    }


@pytest.mark.parametrize("name", hostile())
def test_a_hostile_manifest_ends_in_a_verdict(world: World, name: str) -> None:
    assert prove(hostile()[name], world.own).verdict in (ProofVerdict.CHANGED, ProofVerdict.UNREAD)


@pytest.mark.parametrize("name", [*REFUSED, *ODD])
def test_any_hostile_picture_ends_in_a_verdict_or_a_sentence(world: World, name: str) -> None:
    data = (ODD[name] if name in ODD else REFUSED[name][0])()
    try:
        assert prove(data, world.own).verdict in set(ProofVerdict) - {ProofVerdict.OURS, ProofVerdict.FOREIGN}
    except PhotoError as error:
        assert error.key in ("file.type", "file.big")


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 4000), st.binary(min_size=1, max_size=8)), min_size=1, max_size=4))
def test_a_damaged_file_never_proves_more_than_before(world: World, wounds: list[tuple[int, bytes]]) -> None:
    data = bytearray(world.foreign)
    for at, written in wounds:
        data[at : at + len(written)] = written
    try:
        assert quick(bytes(data), world.own).verdict != ProofVerdict.OURS
    except PhotoError as error:
        assert error.key == "file.type"


def test_what_crashes_or_hangs_the_reader_is_a_verdict(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def ends(code: str, seconds: float = 10) -> Proof:
        monkeypatch.setattr(manifest_reader, "__file__", write(code))
        monkeypatch.setattr(manifest_reader, "SECONDS", seconds)
        return prove(world.portrait, world.own)

    def write(code: str) -> str:
        path = world.data / "reader.py"
        path.write_text(code)
        return str(path)

    assert ends("import os; os.abort()").verdict == ProofVerdict.UNREAD
    assert ends("print('[]')").verdict == ProofVerdict.UNREAD
    assert ends("print('not json')").verdict == ProofVerdict.UNREAD
    assert ends("import time; time.sleep(60)", -4).verdict == ProofVerdict.UNREAD


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such limits")
def test_the_reader_gets_no_secret_and_no_more_than_its_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACE_VALUE_HOST_KEY", "secret")
    (tells := tmp_path / "reader.py").write_text(
        "import json, os, resource\n"
        "limits = [resource.getrlimit(getattr(resource, f'RLIMIT_{name}'))[0]"
        " for name in ('AS', 'CPU', 'FSIZE', 'CORE')]\n"
        "print(json.dumps({'limits': limits, 'cwd': os.getcwd(), 'environment': dict(os.environ)}))"
    )
    monkeypatch.setattr(manifest_reader, "__file__", str(tells))
    found = read_apart(b"", {}, "image/png")
    assert found and found["limits"] == [2 * 2**30, 10, 0, 0]
    assert "PATH" in found["environment"] and "secret" not in found["environment"].values()
    assert Path(found["cwd"]) == Path(sys.executable).parent.resolve()


def test_too_large_and_no_picture_at_all_are_sentences(world: World) -> None:
    for data, key in ((bytes(MAX_BYTES + 1), "file.big"), (b"a text", "file.type"), (b"", "file.type")):
        with pytest.raises(PhotoError) as told:
            prove(data, world.own)
        assert told.value.key == key


# ---- the command


def said(
    file: bytes, world: World, folder: Path, capfd: pytest.CaptureFixture[str], *more: str
) -> tuple[int, str, str]:
    path = folder / "picture.bin"
    path.write_bytes(file)
    code = main(["verify", str(path), *more])
    return code, *capfd.readouterr()


def test_verify_says_one_line_in_words(
    world: World, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACE_VALUE_DATA", str(world.data))
    say = WORDS.say
    assert said(world.portrait, world, tmp_path, capfd) == (0, f"{say('verify.ours_ai')}\n", "")
    assert said(world.foreign, world, tmp_path, capfd) == (1, f"{say('verify.foreign_ai')}\n", "")
    assert said(flipped(world.portrait, -40), world, tmp_path, capfd)[:2] == (
        1,
        f"{say('verify.changed')}\n",
    )
    assert said(stripped(world.portrait), world, tmp_path, capfd)[:2] == (1, f"{say('verify.note_ai')}\n")
    assert said(saved_again(world.portrait), world, tmp_path, capfd)[:2] == (1, f"{say('verify.none')}\n")


def test_verify_as_json_is_one_object_in_the_last_line(
    world: World, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import json

    monkeypatch.setenv("FACE_VALUE_DATA", str(world.data))
    _, out, _ = said(world.portrait, world, tmp_path, capfd, "--json")
    told = json.loads(out.splitlines()[-1])
    assert told == {"verdict": "ours", "said": "ai", "words": WORDS.say("verify.ours_ai")}
    assert json.loads(said(b"\xff\xd8\xff\xe0", world, tmp_path, capfd, "--json")[1].splitlines()[-1])[
        "said"
    ] is (None)


def test_verify_refuses_what_is_no_picture_in_one_line(
    world: World, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for file in (b"a text", bytes(MAX_BYTES + 1)):
        code, out, told = said(file, world, tmp_path, capfd)
        assert (code, out, told.count("\n")) == (2, "", 1)
        assert str(tmp_path) not in told
    assert main(["verify", str(tmp_path / "none.png")]) == 2
    assert main(["verify", str(tmp_path)]) == 2


def test_every_verdict_has_its_sentence() -> None:
    keys = {
        Proof(verdict).key
        for verdict in set(ProofVerdict) - {ProofVerdict.OURS, ProofVerdict.FOREIGN, ProofVerdict.NOTE}
    }
    keys |= {
        Proof(verdict, said).key
        for verdict in (ProofVerdict.OURS, ProofVerdict.FOREIGN, ProofVerdict.NOTE)
        for said in ("ai", "photograph", "drawing")
    }
    assert {WORDS.say(key, language) for language in WORDS.tables for key in keys}
