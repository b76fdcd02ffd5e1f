"""The files of sittings: ids that open nothing else, and an end that comes."""

import errno
import json
import shutil
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from booth.album import Album
from booth.clock import LatestClock
from booth.records import WITHDRAWAL_LENGTH, WITHDRAWAL_LETTERS, SittingId
from tests.clocks import Clock
from tests.clocks import clock as clock  # the fixture

JPEG = b"\xff\xd8 one \xff\xd9"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "sittings"


@pytest.fixture
def album(folder: Path, clock: Clock) -> Album:
    return Album(folder, 30, 12, clock)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_picture_comes_back_as_it_was_put(album: Album) -> None:
    sitting = album.begin()
    picture = album.put(sitting, JPEG, "portrait-1.jpg")
    stored = album.get(picture)
    assert stored is not None
    assert (stored.sitting, stored.jpeg, stored.name) == (sitting, JPEG, "portrait-1.jpg")


def test_only_what_has_a_name_may_be_taken_home_in_the_order_it_was_put(album: Album) -> None:
    sitting = album.begin()
    for name in ("photograph.jpg", "", "ai-portrait-1.jpg"):
        album.put(sitting, JPEG, name)
    assert [stored.name for stored in album.downloads(sitting)] == ["photograph.jpg", "ai-portrait-1.jpg"]


def test_ids_tell_nothing_and_never_repeat(album: Album) -> None:
    sitting = album.begin()
    ids = {album.put(sitting, JPEG, "photograph.jpg") for _ in range(200)} | {sitting}
    assert len(ids) == 201
    assert {len(picture) for picture in ids} == {22}


def test_nobody_else_on_the_machine_may_read_the_files(album: Album, folder: Path) -> None:
    album.put(album.begin(), JPEG)
    (file,) = files(folder)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Album:
    """One album for many questions."""
    album = Album(tmp_path_factory.mktemp("standing"), 30, 12)
    album.put(album.begin(), JPEG)
    return album


@given(st.text())
@example("../../etc/passwd")
@example("..")
@example("\x00")
@example("x" * 100_000)
def test_no_text_of_a_browser_opens_or_removes_anything(standing: Album, text: str) -> None:
    assert standing.get(text) is None
    standing.drop(text)
    assert not standing.withdraw(text)


def test_a_file_beside_the_sittings_cannot_be_asked_for(album: Album, folder: Path) -> None:
    sitting = album.begin()
    (folder / "secret.jpg").write_bytes(b"secret")
    (folder / sitting / "planted.jpg").write_bytes(b"planted")
    for asked in ("../secret", "secret", f"{sitting}/planted", "planted", str(folder / "secret")):
        assert album.get(asked) is None
        album.drop(asked)
    assert len(files(folder)) == 2


def test_after_the_retention_every_picture_is_gone_from_the_disk(
    album: Album, folder: Path, clock: Clock
) -> None:
    sitting = album.begin()
    picture = album.put(sitting, JPEG)
    clock.now += timedelta(minutes=29, seconds=59)
    assert album.deadline(sitting)
    assert album.sweep() == ()
    assert album.get(picture) is not None
    clock.now += timedelta(seconds=1)
    assert album.get(picture) is None  # also before somebody sweeps
    assert album.sweep() == (sitting,)
    assert files(folder) == []
    assert album.deadline(sitting) is None
    with pytest.raises(KeyError):
        album.put(sitting, JPEG)


def test_deleting_is_at_once_and_for_one_sitting_only(album: Album, folder: Path) -> None:
    mine, other = album.begin(), album.begin()
    my_picture, their_picture = album.put(mine, JPEG), album.put(other, JPEG)
    album.delete(mine)
    album.delete(mine)
    assert album.get(my_picture) is None
    assert album.get(their_picture) is not None
    assert [file.parent.name for file in files(folder)] == [other]


def test_one_picture_can_go_alone(album: Album, folder: Path) -> None:
    sitting = album.begin()
    one, two = album.put(sitting, JPEG), album.put(sitting, JPEG)
    album.drop(one)
    album.drop(one)
    assert album.get(one) is None
    assert album.get(two) is not None
    assert len(files(folder)) == 1


def test_start_up_deletes_what_a_crash_left_and_nothing_that_is_not_ours(
    album: Album, folder: Path, clock: Clock
) -> None:
    album.put(album.begin(), JPEG)
    (folder / "holiday").mkdir()
    (folder / "holiday" / "photo.jpg").write_bytes(b"not ours")
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "photo.jpg").write_bytes(b"not ours")
    (folder / "a-link-with-22-letters").symlink_to(elsewhere)
    Album(folder, 30, 12, clock)
    assert sorted(path.name for path in folder.iterdir()) == ["a-link-with-22-letters", "holiday"]
    assert (elsewhere / "photo.jpg").exists()


def test_what_may_be_shown_and_was_approved_survives_a_restart_until_its_time(
    album: Album, folder: Path, clock: Clock
) -> None:
    sitting = album.begin()
    shown, other = album.put(sitting, JPEG), album.put(sitting, JPEG)
    permission = album.allow_show(sitting, [shown])
    album.approve(sitting)
    assert permission.until == clock.now + timedelta(hours=12)
    clock.now += timedelta(hours=1)
    assert album.get(shown) is not None
    assert album.get(other) is None
    after = Album(folder, 30, 12, clock)
    assert after.get(shown) is not None
    assert after.get(other) is None
    assert len([file for file in files(folder) if file.suffix == ".jpg"]) == 1
    clock.now += timedelta(hours=11)
    assert after.get(shown) is None
    assert after.sweep() == (sitting,)
    assert files(folder) == []


@pytest.mark.parametrize("approved", [False, True])
def test_without_both_consent_and_approval_nothing_survives(
    album: Album, folder: Path, clock: Clock, approved: bool
) -> None:
    sitting = album.begin()
    picture = album.put(sitting, JPEG)
    if approved:
        album.approve(sitting)  # without the sitter's leave
    else:
        album.allow_show(sitting, [picture])
    Album(folder, 30, 12, clock)
    assert files(folder) == []


@pytest.mark.parametrize("note", ["", "[]", "{}", "\x00"])
def test_a_note_that_we_did_not_write_lets_nothing_survive(
    album: Album, folder: Path, clock: Clock, note: str
) -> None:
    sitting = album.begin()
    album.put(sitting, JPEG)
    (folder / sitting / "sitting.json").write_text(note)
    Album(folder, 30, 12, clock)
    assert files(folder) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("deadline", "2026-05-01T12:30:00"),  # of which zone?
        ("until", "never"),
        ("code", 7),
        ("code", "ÄÄÄÄÄÄÄÄ"),
        ("approved", None),
        ("shown", {"../secret": "x"}),
    ],
)
def test_a_note_with_one_wrong_value_lets_nothing_survive(
    album: Album, folder: Path, clock: Clock, key: str, value: object
) -> None:
    sitting = approved(album)
    (folder / "secret.jpg").write_bytes(b"secret")
    note = json.loads((folder / sitting / "sitting.json").read_text())
    (folder / sitting / "sitting.json").write_text(json.dumps(note | {key: value}))
    after = Album(folder, 30, 12, clock)
    assert after.get("../secret") is None
    assert [file.name for file in files(folder)] == ["secret.jpg"]


def approved(album: Album) -> SittingId:
    """A sitting with one picture that may be shown."""
    sitting = album.begin()
    album.allow_show(sitting, [album.put(sitting, JPEG)])
    album.approve(sitting)
    return sitting


def test_beside_what_may_be_shown_nothing_lies_in_the_folder_after_a_restart(
    album: Album, folder: Path, clock: Clock
) -> None:
    sitting = approved(album)
    (folder / sitting / "half.jpg").write_bytes(b"\xff\xd8")
    (folder / sitting / "sitting.json.new").write_text("{")
    outside = folder.parent / "outside"
    outside.mkdir()
    (outside / "photo.jpg").write_bytes(b"not ours")
    (folder / sitting / "link").symlink_to(outside)
    Album(folder, 30, 12, clock)
    assert sorted(path.suffix for path in (folder / sitting).iterdir()) == [".jpg", ".json"]
    assert (outside / "photo.jpg").exists()


def test_a_link_in_the_place_of_a_picture_is_not_followed(album: Album, folder: Path, clock: Clock) -> None:
    sitting = album.begin()
    picture = album.put(sitting, JPEG)
    album.allow_show(sitting, [picture])
    album.approve(sitting)
    (folder.parent / "votes").write_bytes(b"secret")
    (file,) = (folder / sitting).glob("*.jpg")
    file.unlink()
    file.symlink_to(folder.parent / "votes")
    assert Album(folder, 30, 12, clock).get(picture) is None
    assert (folder.parent / "votes").exists()


def test_whoever_leaves_leaves_only_what_may_be_shown(album: Album, folder: Path) -> None:
    sitting, other = album.begin(), album.begin()
    shown, private = album.put(sitting, JPEG), album.put(sitting, JPEG, "ai-portrait-2.jpg")
    album.put(other, JPEG)
    album.allow_show(sitting, [shown])
    album.release(sitting)
    album.release(other)
    assert album.get(shown) is not None
    assert album.get(private) is None
    assert [file.stem for file in files(folder) if file.suffix == ".jpg"] == [shown]


def test_a_shown_picture_that_was_dropped_is_not_shown(album: Album, folder: Path, clock: Clock) -> None:
    sitting = album.begin()
    kept, dropped = album.put(sitting, JPEG), album.put(sitting, JPEG)
    album.allow_show(sitting, [kept, dropped])
    album.drop(dropped)
    album.approve(sitting)
    after = Album(folder, 30, 12, clock)
    assert after.get(kept) is not None
    assert after.get(dropped) is None
    after.approve(sitting)


def test_a_code_takes_a_sitting_back_however_it_is_typed(album: Album, folder: Path) -> None:
    sitting, other = album.begin(), album.begin()
    code = album.allow_show(sitting, [album.put(sitting, JPEG)]).code
    album.put(other, JPEG)
    assert set(code) <= set(WITHDRAWAL_LETTERS)
    assert not album.withdraw(code[:-1])
    assert not album.withdraw("")
    assert album.withdraw(f" {code[:4].lower()}-{code[4:]} ")
    assert not album.withdraw(code)
    assert [file.parent.name for file in files(folder)] == [other]


@given(st.data())
def test_a_code_may_be_typed_in_any_case_with_anything_between(standing: Album, data: st.DataObject) -> None:
    sitting = standing.begin()
    code = standing.allow_show(sitting, []).code
    assert len(code) == WITHDRAWAL_LENGTH
    typed = "".join(
        data.draw(st.sampled_from([letter, letter.lower()])) + data.draw(st.text(" -.\t\u00a0", max_size=3))
        for letter in code
    )
    assert standing.withdraw(typed)
    assert standing.deadline(sitting) is None


@given(st.text(WITHDRAWAL_LETTERS, min_size=WITHDRAWAL_LENGTH, max_size=WITHDRAWAL_LENGTH))
def test_a_guessed_code_withdraws_nothing(standing: Album, guess: str) -> None:
    sitting = standing.begin()
    code = standing.allow_show(sitting, []).code
    assert standing.withdraw(guess) == (guess == code)
    standing.delete(sitting)


def test_another_choice_keeps_the_code_and_needs_a_new_approval(
    album: Album, folder: Path, clock: Clock
) -> None:
    sitting = album.begin()
    one, two = album.put(sitting, JPEG), album.put(sitting, JPEG)
    code = album.allow_show(sitting, [one]).code
    album.approve(sitting)
    assert album.allow_show(sitting, [two]).code == code
    Album(folder, 30, 12, clock)
    assert files(folder) == []


def test_a_permission_taken_back_is_no_permission(album: Album) -> None:
    sitting = album.begin()
    picture = album.put(sitting, JPEG)
    code = album.allow_show(sitting, [picture]).code
    album.forbid_show(sitting)
    assert not album.withdraw(code)
    assert album.get(picture) is not None


def test_a_permission_taken_back_does_not_come_back_with_a_restart(
    album: Album, folder: Path, clock: Clock
) -> None:
    sitting = approved(album)
    album.forbid_show(sitting)
    album.approve(sitting)
    Album(folder, 30, 12, clock)
    assert files(folder) == []


def refuse(path: Path, **_: object) -> None:
    raise PermissionError(errno.EACCES, "Permission denied", str(path))


def test_a_folder_that_cannot_be_deleted_is_logged_by_its_id_and_tried_again(
    album: Album,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sitting = approved(album)
    (picture,) = (file.stem for file in files(folder) if file.suffix == ".jpg")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", refuse)
        album.delete(sitting)
        album.sweep()
    assert album.get(picture) is None
    (entry,) = caplog.records  # once, not at each sweep
    assert sitting in entry.getMessage()
    assert str(folder) not in entry.getMessage()
    assert picture not in entry.getMessage()
    album.sweep()
    assert files(folder) == []


def test_what_resisted_its_withdrawal_is_not_brought_back_by_a_restart(
    album: Album, folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitting = approved(album)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", refuse)
        album.delete(sitting)
    Album(folder, 30, 12, clock)
    assert files(folder) == []


def test_one_file_that_cannot_be_deleted_keeps_no_other_from_it(
    album: Album, folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitting, over = album.begin(), album.begin()
    shown, private = album.put(sitting, JPEG), album.put(sitting, JPEG)
    album.put(over, JPEG)
    album.allow_show(sitting, [shown])
    album.approve(sitting)
    clock.now += timedelta(minutes=30)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        assert album.sweep() == (over,)
    assert album.get(private) is None
    album.sweep()
    assert [file.stem for file in files(folder) if file.suffix == ".jpg"] == [shown]


def test_a_full_disk_leaves_no_half_picture(
    album: Album, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitting = album.begin()

    def half(path: Path, data: bytes) -> None:
        with path.open("wb") as file:
            file.write(data[:3])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", half)
        with pytest.raises(OSError, match="No space"):
            album.put(sitting, JPEG)
    assert files(folder) == []


def test_a_file_that_somebody_removed_by_hand_is_gone(album: Album, folder: Path) -> None:
    picture = album.put(album.begin(), JPEG, "portrait-1.jpg")
    (file,) = files(folder)
    file.unlink()
    assert album.get(picture) is None


def test_many_at_once_lose_no_picture_and_get_only_their_own(album: Album, folder: Path) -> None:
    shared = album.begin()

    def visit(number: int) -> bool:
        mine = album.begin()
        for _ in range(5):
            album.put(shared, JPEG, "shared.jpg")
            album.put(mine, b"%d" % number, "mine.jpg")
        right = [stored.jpeg for stored in album.downloads(mine)] == [b"%d" % number] * 5
        album.sweep()
        album.delete(mine)
        return right

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(visit, range(40)))
    assert len(album.downloads(shared)) == len(files(folder)) == 200


@pytest.mark.parametrize("moved", [-100_000.0, -1.0, 0.0, 100_000.0])
def test_a_clock_that_is_put_back_keeps_no_picture(tmp_path: Path, moved: float) -> None:
    wall, passed = [datetime(2026, 1, 1, 12, tzinfo=UTC)], [5000.0]
    clock = LatestClock(lambda: wall[0], lambda: passed[0])
    album = Album(tmp_path, 30, 12, clock)
    picture = album.put(album.begin(), b"jpeg")
    wall[0] += timedelta(seconds=moved)
    passed[0] += 29 * 60
    assert album.has(picture) is (moved <= 0)  # put on, it may go early
    passed[0] += 61
    assert not album.has(picture)
    album.sweep()
    assert not list(tmp_path.rglob("*.jpg"))


def test_an_album_that_is_given_no_clock_has_that_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PutBack(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "PutBack":
            return cls(2026, 1, 1, tzinfo=tz)

    picture = (album := Album(tmp_path, 0.001, 12)).put(album.begin(), b"jpeg")
    monkeypatch.setattr("booth.album.datetime", PutBack)
    time.sleep(0.1)
    assert not album.has(picture)
