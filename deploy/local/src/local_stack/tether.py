"""Becomes another program that dies with its supervisor, even when the supervisor is killed without warning.

Run as a script by `processes.py`, with the standard library alone. It is a program of its own, not a function
between fork and exec, because Python code there may deadlock in a supervisor that has threads.

Usage: tether.py SUPERVISOR_PID DEATH_SIGNAL USER_ID GROUP_ID PROGRAM [ARGUMENT ...]      (-1: keep the identity)
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    supervisor, death_signal, user, group = (int(argument) for argument in arguments[:4])
    command = arguments[4:]
    if group >= 0:
        os.setgroups([])
        os.setgid(group)
    if user >= 0:
        os.setuid(user)
    if sys.platform == "linux":
        # After the change of identity, which would clear it.
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != supervisor:
        sys.exit("the supervisor ended before this process began")
    try:
        os.execvp(command[0], command)  # noqa: S606 - replacing this process without a shell is the purpose
    except OSError as error:
        sys.exit(f"cannot start {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
