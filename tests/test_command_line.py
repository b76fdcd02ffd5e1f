"""`python -m pipelines`: what it writes, what it says, how it refuses."""

import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.__main__ import main
from pipelines.marks.certificates import known_chain
from pipelines.marks.note import read_mark
from pipelines.marks.verify import Proof, ProofVerdict, prove
from pipelines.selfie.photo import Photo
from tests import hostile

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module", autouse=True)
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the booth of these tests keeps its key."""
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACE_VALUE_DATA", str(folder))
        yield folder


@pytest.fixture(scope="module")
def selfie(astronaut: Photo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("selfies") / "selfie.jpg"
    Image.fromarray(astronaut.pixels).save(path, quality=95)
    return path


@pytest.fixture(scope="module")
def run(
    selfie: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    out = tmp_path_factory.mktemp("out") / "new"
    words = [str(selfie), "--models", "mini", "--look", "black", "--seed", "7", "--variations", "2"]
    command = [sys.executable, "-m", "pipelines", "portrait", *words, "--out", str(out)]
    return out, subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_portrait_writes_what_the_contract_names(run: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    out, done = run
    assert done.returncode == 0
    report = json.loads((out / "report.json").read_text())
    names = ["plate.png", "pose.png", "seen.png", "portrait-1.png", "portrait-2.png", "report.json"]
    assert report["files"] == names and sorted(path.name for path in out.iterdir()) == sorted(names)
    assert report["look"] == "black" and report["model_set"] == "mini" and report["seeds"] == [7, 8]


def test_portrait_leaves_stderr_empty(run: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    assert run[1].stderr == ""


def test_each_portrait_says_that_it_was_made_from_the_plate(
    run: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    mark = read_mark((run[0] / "portrait-1.png").read_bytes())
    assert mark is not None and mark.kind == "from_plate"
    photograph = read_mark((run[0] / "plate.png").read_bytes())
    assert photograph is not None and photograph.kind == "plate"


def test_each_picture_is_signed_by_this_booth_and_verify_says_so(
    run: tuple[Path, subprocess.CompletedProcess[str]], data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    own, pictures = known_chain(data), sorted(run[0].glob("*.png"))
    said = {path.name: prove(path.read_bytes(), own) for path in pictures}
    kinds = {"plate": "photograph", "pose": "drawing", "seen": "drawing"}
    kinds |= {path.stem: "ai" for path in pictures if path.stem.startswith("portrait-")}
    assert said == {f"{name}.png": Proof(ProofVerdict.OURS, kind) for name, kind in kinds.items()}
    assert main(["verify", str(run[0] / "portrait-1.png")]) == 0
    assert capfd.readouterr().out == "Made with AI by this booth, unchanged.\n"


def test_no_file_tells_where_it_was_made(
    run: tuple[Path, subprocess.CompletedProcess[str]], selfie: Path
) -> None:
    for path in run[0].iterdir():
        data = path.read_bytes()
        assert str(ROOT).encode() not in data and str(selfie.parent).encode() not in data


def test_the_same_arguments_give_the_same_pixels_and_leave_nothing_of_an_earlier_run(
    run: tuple[Path, subprocess.CompletedProcess[str]], selfie: Path, tmp_path: Path
) -> None:
    for name in (*(path.name for path in run[0].iterdir()), "portrait-3.png"):
        (tmp_path / name).write_bytes(b"of another sitter")
    words = [str(selfie), "--models", "mini", "--look", "black", "--seed", "7", "--variations", "2"]
    assert main(["portrait", *words, "--out", str(tmp_path)]) == 0
    for name in ("plate.png", "pose.png", "portrait-1.png", "portrait-2.png"):
        assert np.array_equal(Image.open(run[0] / name), Image.open(tmp_path / name)), name
    written = {path.name for path in tmp_path.iterdir()}
    assert written == set(json.loads((tmp_path / "report.json").read_text())["files"])


REFUSED = {
    "look": (["--look", "neon"], "There is no look 'neon'. There are: black,"),
    "expression": (["--expression", "angry"], "There is no expression 'angry'."),
    "set": (["--models", "nothing"], "There is no model set 'nothing'."),
    "identity": (["--models", "mini", "--identity", "0.5"], "mini has no identity adapter."),
    "variations": (["--models", "mini", "--variations", "0"], "variations = 0."),
    "number": (["--seed", "seven"], "Invalid value for '--seed'"),
    "start": (["--start", "middle"], "'middle' is not one of 'noise', 'plate'"),
    "strength": (["--models", "mini", "--strength", "0.001"], "Strength 0.001 leaves none of"),
    "light": (["--light", "400"], "key = 400"),
    "seed": (["--models", "mini", "--seed", "99999999999999999999999"], "seed = 99999999999999999999999."),
    "untrained start": (["--models", "mini", "--start", "noise"], "mini cannot start from noise"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_argument_is_one_line_and_exit_2(
    name: str, selfie: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words, sentence = REFUSED[name]
    out = tmp_path / "out"
    assert main(["portrait", str(selfie), "--out", str(out), *words]) == 2
    said = capfd.readouterr().err
    assert sentence in said and said.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize("name", sorted(hostile.REFUSED))
def test_a_hostile_file_is_one_line_and_exit_2(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "selfie.jpg", tmp_path / "out"
    path.write_bytes(hostile.REFUSED[name][0]())
    assert main(["portrait", str(path), "--models", "mini", "--out", str(out)]) == 2
    said = capfd.readouterr().err
    assert said.count("\n") == 1 and str(tmp_path) not in said
    assert not out.exists()


def test_a_missing_file_is_one_line_and_exit_2(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["portrait", str(tmp_path / "no.jpg"), "--models", "mini", "--out", str(tmp_path / "o")]) == 2
    assert capfd.readouterr().err == "There is no file of that name. Check the name and try again.\n"


def test_a_set_that_is_not_here_is_exit_3_with_the_command(
    selfie: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "empty"))
    out = tmp_path / "out"
    assert main(["portrait", str(selfie), "--models", "sdxl-quality", "--out", str(out)]) == 3
    said = capfd.readouterr().err
    assert said.startswith("not downloaded: ") and "python -m pipelines fetch sdxl-quality" in said
    assert said.count("\n") == 1 and not out.exists()


def test_an_out_that_is_a_file_is_refused_before_anything_is_made(
    selfie: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["portrait", str(selfie), "--models", "mini", "--out", str(selfie)]) == 2
    assert "Name a folder." in capfd.readouterr().err


@pytest.mark.draws
def test_writing_that_fails_halfway_leaves_nothing(
    selfie: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "portrait-1.png").mkdir()
    command = ["portrait", str(selfie), "--models", "mini", "--variations", "1", "--out", str(tmp_path)]
    assert main(command) == 2
    assert "Name another folder." in capfd.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["portrait-1.png"]


@pytest.mark.draws
def test_doctor_says_what_is_here_and_draws_the_scales(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACE_VALUE_MODELS", "mini")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "empty"))
    assert main(["doctor", "--out", str(tmp_path)]) == 0
    said, complained = capfd.readouterr()
    assert "mini: on this machine" in said and "One portrait with Small offline model: " in said
    assert "sdxl-quality: not downloaded: " in said and "\nCamera: " in said
    assert complained == ""
    sheet = np.asarray(Image.open(tmp_path / "scales.png"))
    rows = np.split(sheet, 4)  # one a pose scale
    assert all(np.abs(a[:320].astype(int) - b[:320]).max() > 0 for a, b in pairwise(rows))
