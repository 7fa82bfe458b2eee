"""A list worked off in processes that may die."""

import multiprocessing
import os
import signal
import threading
import time

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


def until_processes_are(count):
    while len(multiprocessing.active_children()) > count:
        time.sleep(0.01)


def test_one_that_dies_while_it_has_nothing_to_do_is_replaced():
    results = work_off(1, whose, range(3))
    first = next(results)[1]
    os.kill(first, signal.SIGKILL)
    until_processes_are(0)
    assert [n for n, process in results if process != first] == [1, 2]


def too_late(awaited):
    """Where a file is awaited: a result that no pipe holds, and an end before anybody has read it."""
    if awaited is None:
        return b""
    while not awaited.exists():
        time.sleep(0.01)
    threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
    return bytes(10_000_000)


def test_one_that_dies_while_it_sends_takes_nothing_else_along(tmp_path):
    awaited = tmp_path / "now"
    results = work_off(2, too_late, [awaited, None, None])
    assert next(results) == (None, b"")
    awaited.touch()
    until_processes_are(1)
    rest = dict(results)
    assert rest[None] == b""
    assert isinstance(rest[awaited], WorkerDiedError)


class StubbornError(Exception):
    def __init__(self, why, more):
        super().__init__(why)


def refuse(number):
    raise StubbornError("no", number) if number else ValueError(threading.Lock())


def test_errors_that_cannot_be_sent_are_told():
    errors = dict(work_off(1, refuse, [1, 0]))
    assert [type(error) for error in errors.values()] == [RuntimeError, RuntimeError]
    assert str(errors[1]) == "StubbornError: no"
    assert str(errors[0]).startswith("ValueError: <unlocked")


def test_without_work_no_process_is_started(monkeypatch):
    monkeypatch.setattr("gioconda.processes._Worker", None)
    assert list(work_off(2, whose, [])) == []
    assert list(work_off(2, whose, iter([]))) == []
