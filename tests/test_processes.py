"""A list worked off in processes that may die."""

import os
import signal

import pytest

from gioconda.errors import NoFaceError
from gioconda.processes import WorkerDiedError, work_off


def explode(number):
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 2:
        raise NoFaceError("nobody there")
    return 10 * number


@pytest.mark.parametrize("jobs", [1, 2, 7])
def test_a_process_that_dies_takes_nothing_else_along(jobs):
    results = dict(work_off(jobs, explode, range(5)))
    assert {n: r for n, r in results.items() if n not in (1, 2)} == {0: 0, 3: 30, 4: 40}
    assert isinstance(results[1], WorkerDiedError)
    assert isinstance(results[2], NoFaceError)
    assert str(results[2]) == "nobody there"


def whose(_):
    return os.getpid()


def alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_processes_end_when_nobody_listens_any_more():
    endless = iter(int, 1)
    results = work_off(2, whose, endless)
    seen = {next(results)[1] for _ in range(20)}
    assert all(alive(process) for process in seen)
    results.close()
    assert not any(alive(process) for process in seen)


def test_without_work_no_process_is_started():
    assert list(work_off(2, whose, [])) == []
