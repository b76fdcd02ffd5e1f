"""Untrusted bytes -> what they prove about how a picture was made, in the words of the field and of people.

A signed mark (`signing`) proves whose key signed a file and that not a byte of it has changed. A note
(`provenance`) proves nothing. No mark proves nothing either: anybody can take it off.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from errors import PhotoError
from pipelines.marks.certificates import CLAIM_SIGNING, EMAIL_PROTECTION, Chain
from pipelines.marks.manifest_reader import read_apart
from pipelines.marks.note import OURS, SOURCES, MarkKind, read_mark
from pipelines.marks.signing import MIME, OFFLINE
from pipelines.selfie.photo import MAX_BYTES, PNG_MAGIC, jpeg_segments, png_chunks

# What C2PA 2.2, A.3 says a manifest lies in: JPEG's APP11 segments (JPEG XT's boxes), PNG's caBX chunk.
JPEG_BOX, JPEG_MARKER, PNG_BOX = b"JP", 0xEB, b"caBX"
SAID: dict[MarkKind, str] = {
    "generated": "ai",
    "from_plate": "ai",
    "plate": "photograph",
    "drawing": "drawing",
}
# C2PA 2.2, 15.2.2: what is no sign of a change. Each other failure is one.
UNKNOWN_SIGNER = {"signingCredential.untrusted", "signingCredential.invalid"}
OUT_OF_TIME = {"signingCredential.expired", "claimSignature.outsideValidity"}


class ProofVerdict(StrEnum):
    """What a file proves."""

    OURS = "ours"  # signed by this booth, unchanged
    FOREIGN = "foreign"  # unchanged, says that a Face Value booth made it; this one did not sign it
    OTHER = "other"  # unchanged, signed by other software
    CHANGED = "changed"  # a signature that does not fit the file any more
    CLOCK = "clock"  # unchanged, but the certificate is not valid at this machine's time
    UNREAD = "unread"  # a mark that took too long or broke what reads it
    NOTE = "note"  # a note without signature
    NONE = "none"  # nothing


@dataclass(frozen=True)
class Proof:
    """The verdict, and what the file says it is where that is told: "ai", "photograph" or "drawing"."""

    verdict: ProofVerdict
    said: str = ""

    @property
    def key(self) -> str:
        """Of its sentence in `presets/words`."""
        return f"verify.{self.verdict}_{self.said}" if self.said else f"verify.{self.verdict}"


def prove(data: bytes, own: Chain | None) -> Proof:
    """What a picture's bytes prove to a booth whose certificates are `own`. Takes 0.3 s, waiting.

    Raises `PhotoError` `file.big` or `file.type`, and nothing else.
    """
    if len(data) > MAX_BYTES:
        raise PhotoError("file.big", mb=MAX_BYTES // 2**20)
    if mime := _manifest_type(data):
        return _judge(read_apart(data, _settings(own), mime), own)
    if not _is_picture(data):
        raise PhotoError("file.type")
    note = read_mark(data)
    return Proof(ProofVerdict.NOTE, SAID[note.kind]) if note else Proof(ProofVerdict.NONE)


def _manifest_type(data: bytes) -> str:
    """The type of a picture that carries a manifest, of whatever content; empty for any other."""
    if data.startswith(b"\xff\xd8"):
        for marker, start, _ in jpeg_segments(data):
            if marker == JPEG_MARKER and data.startswith(JPEG_BOX, start + 4):
                return MIME["JPEG"]
    elif data.startswith(PNG_MAGIC) and any(name == PNG_BOX for name, _ in png_chunks(data)):
        return MIME["PNG"]
    return ""


def _is_picture(data: bytes) -> bool:
    """Whether it begins like one that people take for a photo."""
    return (
        data.startswith((b"\xff\xd8\xff", PNG_MAGIC))
        or (data.startswith(b"RIFF") and data[8:12] == b"WEBP")
        or data[4:8] == b"ftyp"
    )


def _judge(report: dict[str, Any] | None, own: Chain | None) -> Proof:
    """From the library's codes to one verdict."""
    if report is None:
        return Proof(ProofVerdict.UNREAD)
    if report.get("unreadable"):
        return Proof(ProofVerdict.CHANGED)  # cut short, or cut into
    failures = set(report["failures"]) - UNKNOWN_SIGNER
    if failures - OUT_OF_TIME or not (report["holds"] or failures):
        return Proof(ProofVerdict.CHANGED)
    if failures:
        return Proof(ProofVerdict.CLOCK)
    said = next((SAID[kind] for kind, term in SOURCES.items() if term == report["source"]), "")
    if not OURS.fullmatch(report["software"]) or not said:
        return Proof(ProofVerdict.OTHER)
    # An issuer whom others trust too has other customers: the certificate must be this booth's own.
    is_own = own is not None and report["trusted"] and report["serial"] == own.serial
    return Proof(ProofVerdict.OURS if is_own else ProofVerdict.FOREIGN, said)


def _settings(own: Chain | None) -> dict[str, Any]:
    """For reading offline, with nobody trusted but this booth."""
    trust = {"trust_config": f"{CLAIM_SIGNING}\n{EMAIL_PROTECTION}\n"}
    return OFFLINE | {"trust": trust | ({"trust_anchors": own.anchor} if own else {})}
