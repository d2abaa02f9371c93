"""What every process of the service's own begins with."""

import signal
from multiprocessing import parent_process
from os import _exit
from threading import Thread


def begin() -> None:
    """In the worker: leave it to the service when to stop, and do not outlive it, however it ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if parent := parent_process():
        parent.join()
    _exit(1)
