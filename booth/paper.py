"""Sheets of paper on a printer of CUPS: jobs never pile up, and none stays in its spool."""

import logging
import threading
import time
from enum import IntEnum

from errors import OperatorError, VisitorError
from pipelines.printer import KINDS, Printer

LOG = logging.getLogger("face_value")
TITLE = "Face Value"  # of every job: whoever reads the printer's list learns nothing of a sitter
OPTIONS = {"media": "om_small-photo_100x150mm", "print-scaling": "fit", "copies": "1"}  # PWG 5101.1, IPP
MOST_WAITING = 2  # jobs of ours that CUPS has; whoever comes then is asked to try later
PATIENCE_S = 180.0  # a photo printer takes 20 to 60 s a sheet
LOOK_EVERY_S = 0.5
REFUSALS = frozenset({*KINDS, "busy"})  # each a sentence, `paper.<name>`


class JobStatus(IntEnum):
    """`job-state` of RFC 8011, 5.3.7, as far as it ends a job."""

    STOPPED = 6  # a filter failed, or the printer
    CANCELED = 7
    ABORTED = 8
    COMPLETED = 9


FAILED = (JobStatus.STOPPED, JobStatus.CANCELED, JobStatus.ABORTED)


class PaperPrinter:
    """One printer by its name in CUPS. Safe to share between threads."""

    def __init__(self, name: str, server: str = "") -> None:
        """`server`: CUPS's host and port; empty for this machine's own. Raises `OperatorError`."""
        self._printer = Printer(name, server)
        self._lock = threading.Lock()  # of counting what waits and adding to it
        self._waiting: set[int] = set()  # jobs of ours that nobody saw end
        self.last_trouble = ""  # what kept the last sheet from being printed; empty where nothing did
        if self._printer.trouble() == "unknown":
            raise OperatorError(f"FACE_VALUE_PRINTER = {name!r}: CUPS knows no printer of that name.")

    def print_sheet(self, pdf: bytes, patience_s: float = PATIENCE_S) -> None:
        """Give a sheet to the printer, without a file of ours, and wait for it. CUPS keeps nothing of it.

        Raises `VisitorError` where the printer cannot print now, has enough to do, or did not print it.
        """
        if trouble := self._printer.trouble():
            raise self._refuse(trouble)
        with self._lock:
            if len(self._waiting) >= MOST_WAITING:
                raise VisitorError("paper.busy")
            with self._printer.connected() as cups:
                job = cups.createJob(self._printer.name, TITLE, OPTIONS)
            self._waiting.add(job)
        try:
            with self._printer.connected() as cups:
                cups.startDocument(self._printer.name, job, TITLE, "application/pdf", 1)
                cups.writeRequestData(pdf, len(pdf))
                cups.finishDocument(self._printer.name)
            trouble = self._wait(job, patience_s)
        finally:
            self._purge(job)
        if trouble:
            raise self._refuse(trouble)
        self.last_trouble = ""

    def close(self) -> None:
        """What still waits goes."""
        for job in tuple(self._waiting):
            self._purge(job)

    def _wait(self, job: int, patience_s: float) -> str:
        """Until the sheet is printed; what kept it from that, or nothing."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            with self._printer.connected() as cups:
                state = cups.getJobAttributes(job, ["job-state"])["job-state"]
            if state == JobStatus.COMPLETED:
                return ""
            trouble = self._printer.trouble()
            if state in FAILED or trouble not in ("", "away"):  # it connects anew by itself
                return trouble or "failed"
            time.sleep(LOOK_EVERY_S)
        return self._printer.trouble() or "failed"

    def _refuse(self, trouble: str) -> VisitorError:
        """What is told to the visitor; the operator finds it in the log and on the host page."""
        LOG.warning("a sheet was not printed: %s", trouble)
        self.last_trouble = trouble
        return VisitorError(f"paper.{trouble}")

    def _purge(self, job: int) -> None:
        """Off the list, and off the disk, where CUPS keeps a day's documents by itself."""
        try:
            with self._printer.connected() as cups:
                cups.cancelJob(job, purge_job=True)
        except VisitorError:  # it does not know the job any more, or is away
            LOG.warning("a printed sheet could not be taken out of the printer's list")
        with self._lock:
            self._waiting.discard(job)
