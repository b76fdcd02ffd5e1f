"""A C2PA manifest, read in a process of its own: whatever a file does to the library, the booth goes on.

    from pipelines.marks.manifest_reader import read_apart

As a program (which `bounded` runs; no import of ours) it reads one line of JSON, the library's settings, and
then the file from its standard input, and writes one line of JSON.
"""

import io
import json
import subprocess
import sys
from typing import Any

SECONDS, BYTES = 10, 2 * 2**30  # of a 12 MB file it needs 0.05 s and about 100 MB beside what Python maps
# C2PA 2.2, 15.2.2.1: the signature is that of the statement, and the statement is about these bytes.
SIGNED, BOUND = "claimSignature.validated", {"assertion.dataHash.match", "assertion.boxesHash.match"}
MOST_FAILURES = 200  # failure codes; a file can have as many as it likes


def read_apart(data: bytes, settings: dict[str, Any], mime: str) -> dict[str, Any] | None:
    """What `read_manifest` finds. None when it crashed, or took too long or too much memory."""
    # here, for as a program this module has no import of ours
    from pipelines.bounded import PATIENCE_S, command, surroundings

    try:
        done = subprocess.run(
            command(__file__, mime, seconds=SECONDS, memory=BYTES),
            input=json.dumps(settings).encode() + b"\n" + data,
            stdout=subprocess.PIPE,
            timeout=SECONDS + PATIENCE_S,
            **surroundings(),
            check=True,
        )
        report = json.loads(done.stdout)
    except (subprocess.SubprocessError, OSError, ValueError):
        return None
    return report if isinstance(report, dict) else None


def read_manifest(data: bytes, settings: dict[str, Any], mime: str) -> dict[str, Any]:
    """`holds`, `failures` (codes of C2PA 2.2, 15.2.2), `trusted`, `serial`, `software`, `source` (IPTC term).

    `unreadable` where the library makes nothing of the file.
    """
    from c2pa import C2paError, Context, Reader

    try:
        with Reader(mime, io.BytesIO(data), context=Context.from_dict(settings)) as reader:
            return _summarize(reader.get_validation_state() == "Trusted", json.loads(reader.json()))
    except (C2paError, LookupError, TypeError, ValueError, AttributeError):  # JSON of another shape
        return {"unreadable": True}


def _summarize(trusted: bool, report: dict[str, Any]) -> dict[str, Any]:
    results = report.get("validation_results") or {}
    checked = results.get("activeManifest") or {}
    failures = [status["code"] for status in checked.get("failure") or []]
    successes = {status["code"] for status in checked.get("success") or []}
    for delta in results.get("ingredientDeltas") or []:
        failures += [status["code"] for status in delta["validationDeltas"].get("failure") or []]
    active = report["manifests"][report["active_manifest"]]
    software = (active.get("claim_generator_info") or [{}])[0]
    return {
        "holds": SIGNED in successes and bool(BOUND & successes),
        "trusted": trusted,
        "failures": sorted(set(failures))[:MOST_FAILURES],
        "serial": (active.get("signature_info") or {}).get("cert_serial_number"),
        "software": f"{software.get('name')} {software.get('version')}"[:100],
        "source": _source(active),
    }


def _source(active: dict[str, Any]) -> str:
    """The last digital source type that an action states."""
    sources = [
        action["digitalSourceType"]
        for assertion in active.get("assertions") or []
        if assertion["label"].startswith("c2pa.actions")
        for action in assertion["data"].get("actions") or []
        if action.get("digitalSourceType")
    ]
    return str(sources[-1])[:200] if sources else ""


def _main() -> None:
    settings = json.loads(sys.stdin.buffer.readline())
    sys.stdout.write(json.dumps(read_manifest(sys.stdin.buffer.read(), settings, sys.argv[1])) + "\n")


if __name__ == "__main__":
    _main()
