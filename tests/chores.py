"""Work for the tests of processes; a process that does it has nothing else to load."""

import os
import signal


def square(number):
    """Deadly for 2."""
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def refuse(number):
    raise OSError(f"no room for {number}")
