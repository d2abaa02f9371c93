"""Runs a program that dies with the process that started it, even where that one is killed outright.

    python leash.py PARENT_PID PROGRAM [ARGUMENT…]

Linux tells a process of its parent's death if it asks for that (prctl(2), PR_SET_PDEATHSIG), and what was asked
survives exec. It is asked for here, in a process of its own, because Python code between fork and exec is not safe in
a parent that has threads. Elsewhere than on Linux the program is just run.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, *argv = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != int(parent):  # it died before it could be asked for
            sys.exit(1)
    os.execvp(argv[0], argv)  # noqa: S606


if __name__ == "__main__":
    main()
