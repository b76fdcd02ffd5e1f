"""Runs a program of ours that reads a stranger's file, in a process of its own and within bounds.

    subprocess.run(command(PROGRAM, "an argument", seconds=10, memory=2**31), **surroundings(), input=data)

Itself started as a program (no import of ours) it bounds its process before anything of the file is read,
then runs PROGRAM there.
"""

import contextlib
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import TypedDict

PATIENCE_S = (
    5  # more on a clock than of a processor: Python's start on a busy machine is not the file's fault
)


class Surroundings(TypedDict):
    """What `subprocess` is told beside the command."""

    env: dict[str, str]
    cwd: Path
    stderr: int


def command(program: str, *arguments: str, seconds: int, memory: int) -> list[str]:
    """What starts it, with so many seconds of a processor and bytes of addresses."""
    return [sys.executable, "-I", __file__, str(seconds), str(memory), program, *arguments]


def surroundings() -> Surroundings:
    """None of our settings, which hold secrets, and none of our folders; what it complains of is dropped."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith("FACE_VALUE_")}
    return Surroundings(env=outside, cwd=Path(sys.executable).parent, stderr=subprocess.DEVNULL)


def _bound(seconds: int, memory: int) -> None:
    """So much time and memory, no file written, no core kept."""
    with contextlib.suppress(ImportError):  # Windows has no such limits
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _main() -> None:
    _, seconds, memory, program, *arguments = sys.argv
    _bound(int(seconds), int(memory))
    sys.argv = [program, *arguments]
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    _main()
