"""The tracker's native library logs to standard error, which belongs to everybody: it is silent, and nobody else is."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest

pytest.importorskip("mediapipe", reason="the extra 'mediapipe' is not installed")

from gioconda.cli import main
from gioconda.tracking.facemesh import FaceMeshTracker
from gioconda.tracking.tracker import TRACKERS


def test_threads_that_start_networks_leave_standard_error_as_it_was(portrait, capfd):
    rgb, together = portrait.views[0].rgb, Barrier(4)

    def found(number):
        together.wait()
        return len(FaceMeshTracker().find(rgb).faces)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(found, range(4))) == [1] * 4
    os.write(2, b"heard\n")
    assert capfd.readouterr().err == "heard\n"


def test_others_are_heard_while_a_picture_is_searched(capfd):
    tracker, nobody = FaceMeshTracker(), np.full((400, 400, 3), 128, np.uint8)
    tracker.find(nobody)
    assert capfd.readouterr().err == ""
    with ThreadPoolExecutor(1) as pool:
        search = pool.submit(tracker.find, nobody)
        said = 0
        while not search.done():
            os.write(2, b".")
            said += 1
            time.sleep(0.001)
    assert search.result().faces == []
    assert capfd.readouterr().err == "." * said


def test_standard_error_may_be_closed(picture):
    shell = ["sh", "-c", 'exec "$@" 2>&-', "sh"]
    done = subprocess.run(
        [*shell, sys.executable, "-m", "gioconda.cli", "faces", str(picture), "--tracker", "mediapipe"],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout.count("--box")) == (0, 1)


def test_a_dataset_is_built_with_it(picture, tmp_path):
    footage = tmp_path / "footage"
    footage.mkdir()
    (footage / picture.name).write_bytes(picture.read_bytes())
    found = {}
    for tracker in TRACKERS:
        out = tmp_path / tracker
        command = ["dataset", "build", str(footage), "--out", str(out), "--size", "128", "--jobs", "1"]
        assert main([*command, "--licence", "own", "--tracker", tracker]) == 0
        found[tracker] = np.load(out / "stills.npz")["landmarks"]
    assert found["gioconda"].shape == found["mediapipe"].shape == (1, 478, 3)
    assert (found["gioconda"] != found["mediapipe"]).any()
