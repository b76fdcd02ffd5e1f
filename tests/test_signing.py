"""The booth's key is made once and kept to itself; a manifest says what made a picture, not of whom."""

import io
import json
import multiprocessing
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from errors import OperatorError
from pipelines.draw.model_set import read_model_sets
from pipelines.marks import certificates as credentials
from pipelines.marks.certificates import CHAIN, FOLDER, KEY, credential, known_chain
from pipelines.marks.manifest_reader import read_manifest
from pipelines.marks.note import SOURCES, mark, read_mark
from pipelines.marks.signing import OFFLINE, RECIPES, Made, Signer, manifest
from pipelines.marks.verify import ProofVerdict, prove
from pipelines.selfie.photo import read_photo
from tests.hostile import card

MINI = read_model_sets()["mini"]
FORMATS: Any = ["PNG", "JPEG"]


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    signer = Signer(tmp_path_factory.mktemp("data"))
    signer.load()
    return signer


def told(file: bytes, detailed: bool = False) -> Any:
    """The manifest as the library reads it."""
    from c2pa import Context, Reader

    with Reader(None, io.BytesIO(file), context=Context.from_dict(OFFLINE)) as reader:
        store = json.loads(reader.detailed_json() if detailed else reader.json())
    assert len(store["manifests"]) == 1
    return store["manifests"][store["active_manifest"]]


# ---- the key


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    made = credential(tmp_path / "data")
    key = tmp_path / "data" / FOLDER / KEY
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.parent.stat().st_mode & 0o777 == 0o700
    assert credential(tmp_path / "data").key == made.key
    assert [path.name for path in (tmp_path / "data").iterdir()] == [FOLDER]
    assert made.key not in repr(made)


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such modes")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_key_that_others_may_read_signs_nothing(tmp_path: Path, mode: int) -> None:
    credential(tmp_path)
    (tmp_path / FOLDER / KEY).chmod(mode)
    with pytest.raises(OperatorError, match="chmod 600"):
        credential(tmp_path)


def test_processes_that_start_at_once_have_one_key(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        serials = pool.map(serial_of, [tmp_path] * 8)
    assert len(set(serials)) == 1
    assert [path.name for path in tmp_path.iterdir()] == [FOLDER]


def serial_of(folder: Path) -> str:
    return credential(folder).chain.serial


def test_the_chain_is_what_c2pa_asks_for(tmp_path: Path) -> None:
    credential(tmp_path)
    signer, root = x509.load_pem_x509_certificates((tmp_path / FOLDER / CHAIN).read_bytes())
    signer.verify_directly_issued_by(root)
    uses = signer.extensions.get_extension_for_class(x509.KeyUsage)
    assert uses.critical and uses.value.digital_signature and not uses.value.key_cert_sign
    assert not signer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    purposes = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [one.dotted_string for one in purposes] == ["1.3.6.1.4.1.62558.2.1", "1.3.6.1.5.5.7.3.4"]
    known = signer.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    named = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert known.key_identifier == named.digest
    early = datetime.now(UTC) - signer.not_valid_before_utc
    assert timedelta(days=1) <= early < timedelta(days=2)
    assert signer.not_valid_before_utc.hour == signer.not_valid_before_utc.minute == 0  # tells no hour


def test_the_folder_holds_no_key_of_the_root(tmp_path: Path) -> None:
    credential(tmp_path)
    files = {path.name: path.read_text() for path in (tmp_path / FOLDER).iterdir()}
    assert set(files) == {KEY, CHAIN}
    assert sum(text.count("PRIVATE KEY-----") for text in files.values()) == 2  # one begins, one ends


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(OperatorError, match=r"^signing: the booth's key cannot be kept"):
        credential(tmp_path / "data")


# ---- the operator's own


def issued(folder: Path, names: tuple[str, str] = ("own.pem", "own.key")) -> tuple[Path, Path]:
    """An operator's certificate and key, as files of their own."""
    credential(folder / "theirs")
    made = [folder / name for name in names]
    for path, name in zip(made, (CHAIN, KEY), strict=True):
        (folder / "theirs" / FOLDER / name).rename(path)
    return made[0], made[1]


@pytest.mark.app
def test_the_operators_own_certificate_signs_and_is_known(tmp_path: Path) -> None:
    chain, key = issued(tmp_path)
    signer = Signer(tmp_path / "data", chain, key)
    file = signer.sign(card(), "generated", MINI)
    assert not (tmp_path / "data").exists()
    assert prove(file, known_chain(tmp_path / "data", chain)).verdict == ProofVerdict.OURS
    assert prove(file, known_chain(tmp_path / "data")).verdict == ProofVerdict.FOREIGN


@pytest.mark.app
def test_another_customer_of_the_same_issuer_is_not_this_booth(tmp_path: Path) -> None:
    chain, key = issued(tmp_path)
    file = Signer(tmp_path, chain, key).sign(card(), "generated", MINI)
    own = known_chain(tmp_path, chain)
    assert own is not None
    other = credentials.Chain(own.sent, own.anchor, "1234")
    assert prove(file, other).verdict == ProofVerdict.FOREIGN


def pem(key: Any) -> bytes:
    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


WRONG = {
    "no key": (lambda chain, key: (chain, None), "belong together"),
    "no certificate": (lambda chain, key: (None, key), "belong together"),
    "files that are not there": (lambda chain, key: (chain, key.with_name("no")), r"= no: this file cannot"),
    "the two exchanged": (lambda chain, key: (key, chain), "holds no certificates"),
    "another's key": (
        lambda chain, key: (chain, wrote(key, pem(generate_private_key(SECP256R1())))),
        "is not that of the first certificate",
    ),
    "another curve": (
        lambda chain, key: (chain, wrote(key, pem(generate_private_key(SECP384R1())))),
        "curve P-256",
    ),
    "no issuer": (
        lambda chain, key: (wrote(chain, first(chain)), key),
        "issuer is missing",
    ),
    "issuer first": (
        lambda chain, key: (wrote(chain, b"".join(reversed(both(chain)))), key),
        "is not that of the first certificate",
    ),
    "signer twice": (lambda chain, key: (wrote(chain, first(chain) * 2), key), "no chain"),
    "bytes": (lambda chain, key: (chain, wrote(key, b"\xff\0")), "no private key"),
}


def wrote(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def both(chain: Path) -> list[bytes]:
    return [one.public_bytes(Encoding.PEM) for one in x509.load_pem_x509_certificates(chain.read_bytes())]


def first(chain: Path) -> bytes:
    return both(chain)[0]


@pytest.mark.parametrize("name", WRONG)
def test_an_operators_mistake_is_told_at_start_without_a_path(name: str, tmp_path: Path) -> None:
    spoil, sentence = WRONG[name]
    chain, key = spoil(*issued(tmp_path))
    with pytest.raises(OperatorError, match=sentence) as told_:
        Signer(tmp_path / "data", chain, key)
    assert str(tmp_path) not in str(told_.value)


# ---- the manifest


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("made", RECIPES)
def test_a_file_has_both_marks_and_they_agree(signer: Signer, made: Made, format: Any) -> None:
    file = signer.sign(card(), made, None if made in ("plate", "drawing") else MINI, format=format)
    note, found_ = read_mark(file), read_manifest(file, OFFLINE, f"image/{format.lower()}")
    assert note is not None and found_["holds"] and found_["failures"] == ["signingCredential.untrusted"]
    assert note.source == found_["source"] == SOURCES[RECIPES[made].note]
    assert note.software == found_["software"]


def test_pixels_are_kept(signer: Signer) -> None:
    assert np.array_equal(read_photo(signer.sign(card(), "plate")).pixels, card())


@pytest.mark.parametrize("made", ["generated", "from_plate", "tone_matched"])
def test_what_ai_made_names_its_models_and_their_licences(signer: Signer, made: Made) -> None:
    actions = told(signer.sign(card(), made, MINI))["assertions"][0]["data"]["actions"]
    assert actions[-1]["parameters"]["model_set"] == "mini"
    assert actions[-1]["parameters"]["model_licences"] == "MIT"
    assert actions[-1]["softwareAgent"]["name"] == "Face Value"


@pytest.mark.parametrize(
    ("made", "actions", "made_from"),
    [
        ("generated", ["c2pa.created"], []),
        ("from_plate", ["c2pa.created"], [("plate", "inputTo")]),
        ("tone_matched", ["c2pa.opened", "c2pa.edited"], [("portrait", "parentOf"), ("plate", "inputTo")]),
        ("plate", ["c2pa.opened", "c2pa.edited"], [("photograph", "parentOf")]),
        ("drawing", ["c2pa.created"], []),
    ],
)
def test_what_was_done_and_from_what(
    signer: Signer, made: Made, actions: list[str], made_from: list[tuple[str, str]]
) -> None:
    manifest = told(signer.sign(card(), made))
    assert [one["action"] for one in manifest["assertions"][0]["data"]["actions"]] == actions
    ingredients = manifest.get("ingredients") or []
    assert [(one["title"], one["relationship"]) for one in ingredients] == made_from


@pytest.mark.parametrize("made", RECIPES)
def test_a_manifest_tells_nothing_of_the_sitter_nor_of_the_time(signer: Signer, made: Made) -> None:
    manifest = told(signer.sign(card(640, 800), made, MINI), detailed=True)
    allowed = {"c2pa.hash.data", "c2pa.actions.v2", "c2pa.ingredient.v3", "c2pa.ingredient.v3__1"}
    assert set(manifest["assertion_store"]) <= allowed  # no thumbnail, no metadata of a camera
    for label, content in manifest["assertion_store"].items():
        if label.startswith("c2pa.ingredient"):  # a word, no hash and no id that a selfie could be found by
            assert set(content) == {"relationship", "dc:title", "dc:format"}
        if label == "c2pa.actions.v2":
            keys = {key for action in content["actions"] for key in action}
            assert keys <= {"action", "softwareAgent", "digitalSourceType", "parameters"}
    text = json.dumps(manifest)
    assert str(datetime.now(UTC).year) not in text  # no time anywhere, but in the certificate's validity
    assert set(manifest["claim"]) <= {
        *("instanceID", "claim_generator_info", "signature", "alg", "claim_version", "dc:format"),
        *("created_assertions", "gathered_assertions"),
    }


def test_two_files_of_one_sitting_share_nothing_but_the_booth(signer: Signer) -> None:
    one, two = (told(signer.sign(card(), "from_plate", MINI), detailed=True)["claim"] for _ in range(2))
    assert one["instanceID"] != two["instanceID"]


def test_signing_and_reading_ask_nobody(signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's sockets refuse; the library's own are shut by its settings, which are looked at here."""

    def refused(*_: Any, **__: Any) -> Any:
        raise AssertionError("somebody opened a socket")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refused)
    file = signer.sign(card(), "generated", MINI)
    assert read_manifest(file, OFFLINE, "image/png")["holds"]
    assert OFFLINE["core"]["allowed_network_hosts"] == []
    off = ("remote_manifest_fetch", "ocsp_fetch", "verify_timestamp_trust")
    assert [OFFLINE["verify"][name] for name in off] == [False] * 3


class Watch(BaseHTTPRequestHandler):
    """Counts who asks."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_error(404)

    def log_message(self, *_: Any) -> None: ...


def with_remote_manifest(signer: Signer, url: str) -> bytes:
    """A file that names an address where its manifest is said to lie."""
    from c2pa import Builder

    file = io.BytesIO()
    with Builder(manifest("generated", None, "image/jpeg"), context=signer._load_context()) as builder:
        builder.set_no_embed()
        builder.set_remote_url(url)
        builder.sign("image/jpeg", io.BytesIO(mark(card(), "generated", format="JPEG")), file)
    return file.getvalue()


def test_a_file_cannot_send_the_checker_to_an_address(signer: Signer) -> None:
    with HTTPServer(("127.0.0.1", 0), Watch) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        file = with_remote_manifest(signer, f"http://127.0.0.1:{server.server_port}/manifest")
        assert b"/manifest" in file
        assert read_manifest(file, OFFLINE, "image/jpeg") == {"unreadable": True}
        assert prove(file, signer.own_chain()).verdict == ProofVerdict.NOTE
        assert Watch.asked == []
        read_manifest(file, {}, "image/jpeg")  # as the library would by itself: the trap works
        assert Watch.asked == ["/manifest"]
        server.shutdown()


def test_many_threads_may_sign_at_once(signer: Signer) -> None:
    with ThreadPoolExecutor(4) as pool:
        files = list(pool.map(lambda _: signer.sign(card(), "generated", MINI, format="JPEG"), range(24)))
    assert all(read_manifest(file, OFFLINE, "image/jpeg")["holds"] for file in files)


def test_with_a_clock_far_off_the_portrait_is_kept_with_its_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Later(datetime):
        @classmethod
        def now(cls, zone: Any = None) -> Any:
            return datetime.now(zone) + timedelta(days=40)

    monkeypatch.setattr(credentials, "datetime", Later)
    file = Signer(tmp_path).sign(card(), "generated", MINI)
    assert prove(file, known_chain(tmp_path)).verdict == ProofVerdict.NOTE
    assert "Is the clock right?" in caplog.text
