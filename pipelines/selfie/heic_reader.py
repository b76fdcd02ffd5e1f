"""A HEIC's primary picture, decoded; a large one in a process of its own, whatever it does there.

    from pipelines.selfie.heic_reader import decode, decode_apart

As a program (which `bounded` runs; no import of ours) it reads the file from its standard input and writes
one line of JSON and then the pixels.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from threading import Timer
from typing import Any

import pillow_heif

# Of one processor. 12 megapixels in a phone's tiles take 0.6 s and 48 take 2.3 (x86-64, 2026-11); 0.2 of 12
# megapixels' time is the process itself. 48 of ten bits need 1 GiB of addresses.
SECONDS, BYTES = 10, 2 * 2**30
BROKEN = (OSError, SyntaxError, ValueError, LookupError, EOFError, RuntimeError, MemoryError)


@dataclass(frozen=True, eq=False)
class Decoded:
    """Pixels as they are stored, upright."""

    size: tuple[int, int]
    mode: (
        str  # of pillow-heif: L, RGB, RGBA or RGBa, and with ";16" behind 16 bits each, the lower byte first
    )
    stride: int  # bytes a row
    bit_depth: int
    profile: bytes  # ICC; empty where there is none
    code_points: tuple[int, int]  # primaries and transfer (ITU-T H.273); 2: not told
    pixels: bytes | bytearray


def decode(data: bytes | bytearray) -> Decoded:
    """The primary picture, with all its bits where it is opaque. Raises one of `BROKEN`."""
    file = pillow_heif.open_heif(bytes(data))
    still = file[file.primary_index]
    if still.info["bit_depth"] > 8 and not still.has_alpha:
        file = pillow_heif.open_heif(bytes(data), convert_hdr_to_8bit=False)
        still = file[file.primary_index]
    pixels = still.data  # decoding may find another size than the header gave
    said = still.info.get("nclx_profile") or {}
    return Decoded(
        size=still.size,
        mode=still.mode,
        stride=still.stride,
        bit_depth=int(still.info["bit_depth"]),
        profile=bytes(still.info.get("icc_profile") or b""),
        code_points=(int(said.get("color_primaries", 2)), int(said.get("transfer_characteristics", 2))),
        pixels=pixels,
    )


def decode_apart(data: bytes | bytearray, seconds: int = SECONDS, memory: int = BYTES) -> Decoded:
    """The same in a process of its own. Raises `ValueError` when that failed, crashed, or needed too much."""
    # here, for as a program this module has no import of ours
    from pipelines.bounded import PATIENCE_S, command, surroundings

    try:
        with subprocess.Popen(
            command(__file__, seconds=seconds, memory=memory),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            **surroundings(),
        ) as reader:
            clock = Timer(SECONDS + PATIENCE_S, reader.kill)
            clock.start()
            try:
                return _ask(reader, data)
            finally:
                clock.cancel()
                reader.kill()
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ValueError("a HEIC that could not be decoded within its bounds") from error


def _ask(reader: "subprocess.Popen[bytes]", data: bytes | bytearray) -> Decoded:
    assert reader.stdin and reader.stdout  # noqa: S101 - they are pipes
    with reader.stdin as sent:
        sent.write(data)
    head: dict[str, Any] = json.loads(reader.stdout.readline())
    pixels = bytearray(head["count"])  # read into their place: hundreds of megabytes need not be there twice
    if reader.stdout.readinto(pixels) != len(pixels):  # type: ignore[attr-defined]
        raise ValueError("pixels that are cut short")
    return Decoded(
        size=(head["size"][0], head["size"][1]),
        mode=head["mode"],
        stride=head["stride"],
        bit_depth=head["bit_depth"],
        profile=bytes.fromhex(head["profile"]),
        code_points=(head["code_points"][0], head["code_points"][1]),
        pixels=pixels,
    )


def _main() -> None:
    try:
        found = decode(sys.stdin.buffer.read())
    except BROKEN:
        sys.exit(1)
    head = {name: getattr(found, name) for name in ("size", "mode", "stride", "bit_depth", "code_points")}
    head |= {"profile": found.profile.hex(), "count": len(found.pixels)}
    sys.stdout.buffer.write(json.dumps(head).encode() + b"\n")
    sys.stdout.buffer.write(found.pixels)


if __name__ == "__main__":
    _main()
