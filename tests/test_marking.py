"""The page on which a face is marked: its server alone, and with a real browser where there is one."""

import http.client
import json
import re
import subprocess
import sys
import threading

import numpy as np
import pytest

from browser import CHROMIUM, Browser
from gioconda.errors import OutputError
from gioconda.marking.server import MOST_SENT, MarkingServer
from gioconda.marks import fit_marks, read_marks
from gioconda.media.pictures import Picture, write_png
from makers import faceless_drawing

FIVE = dict(list(faceless_drawing()[1].items())[:5])


class Shown:
    """A running server, and what it saved."""

    def __init__(self):
        self.saved = []
        self.server = MarkingServer(Picture(faceless_drawing()[0]), "a </script> drawing.png", self._save)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def _save(self, marks):
        if "forehead" in marks:
            raise OutputError("no space is left")
        self.saved.append(marks)
        return "gioconda animate"

    def ask(self, method, what="", body=None, token=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        path = f"/{self.server.token if token is None else token}/{what}"
        connection.putrequest(method, path, skip_host=True)
        given = {"Host": f"127.0.0.1:{self.port}"}
        if body is not None:
            given |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        for name, value in (given | {n.replace("_", "-"): v for n, v in headers.items()}).items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders(body.encode() if body else None)
        reply = connection.getresponse()
        return reply.status, dict(reply.getheaders()), reply.read()

    def post(self, what, points, **headers):
        status, _, body = self.ask("POST", what, json.dumps({"points": points}), **headers)
        return status, json.loads(body)


@pytest.fixture
def shown():
    shown = Shown()
    yield shown
    shown.server.shutdown()
    shown.thread.join(5)
    shown.server.server_close()


def test_the_page_and_the_picture_and_nothing_else(shown):
    assert shown.server.server_address[0] == "127.0.0.1"
    status, headers, body = shown.ask("GET")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    page = body.decode()
    # The name of a file cannot end the script.
    assert page.count("</script>") == 1
    assert "{{" not in page
    assert re.findall(r'(?:src|href)="?(?:https?:)?//', page) == []
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
    status, headers, body = shown.ask("GET", "picture")
    assert (status, headers["Content-Type"], body[:4]) == (200, "image/png", b"\x89PNG")
    for other in ("fit", "page.html", "../picture", "../../../../etc/passwd", "picture/"):
        assert shown.ask("GET", other)[0] == 404, other


def test_strangers_are_refused(shown):
    assert shown.ask("GET", token="")[0] == 403
    assert shown.ask("GET", token="wrong")[0] == 403
    for host in ("evil.example", f"localhost:{shown.port}", None, "127.0.0.1"):
        assert shown.ask("GET", "picture", Host=host)[0] == 403, host
    assert shown.post("save", FIVE, Origin="http://evil.example")[0] == 403
    assert shown.post("save", FIVE, Content_Type="text/plain")[0] == 415
    assert shown.ask("POST", "save", "{}", Content_Length=str(MOST_SENT + 1))[0] == 413
    assert shown.ask("POST", "save", "{}", Content_Length=None)[0] == 411
    assert shown.ask("POST", "save", "{}", Content_Length="-1")[0] == 411
    assert shown.ask("PUT", "save", "{}")[0] == 501
    assert shown.saved == []


def test_the_fit_is_the_one_that_is_animated(shown):
    status, answer = shown.post("fit", FIVE)
    assert status == 200
    expected = fit_marks(FIVE)
    first = re.match(r"M([\d.]+) ([\d.]+)L", answer["line"])
    assert np.allclose([float(v) for v in first.groups()], expected[10, :2], atol=0.06)
    assert answer["mesh"].count("M") > 1000


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '{"points": 3}', '{"points": {"chin": [1, 2]}}', "[" * 9999])
def test_nonsense_is_answered_and_the_page_lives(shown, body):
    status, _, answer = shown.ask("POST", "fit", body)
    assert status in (400, 422)
    assert json.loads(answer)["error"]
    assert shown.post("fit", FIVE)[0] == 200


def test_what_cannot_be_saved_is_said_and_the_page_lives(shown):
    status, answer = shown.post("save", {**FIVE, "forehead": (160, 60)})
    assert (status, answer["error"]) == (422, "no space is left")
    status, answer = shown.post("save", {**FIVE, "left_eye": FIVE["right_eye"], "right_eye": FIVE["left_eye"]})
    assert status == 422
    assert "left and right are swapped" in answer["error"]
    assert shown.thread.is_alive()


def test_saving_ends_it(shown):
    assert shown.post("save", FIVE) == (200, {"saved": True, "then": "gioconda animate"})
    shown.thread.join(5)
    assert not shown.thread.is_alive()
    assert shown.saved == [{name: list(place) for name, place in FIVE.items()}]


@pytest.fixture
def marking(tmp_path):
    """The real command in a process of its own, and its address."""
    write_png(tmp_path / "a drawing.png", faceless_drawing()[0])
    process = subprocess.Popen(
        [sys.executable, "-m", "gioconda.cli", "mark", "a drawing.png", "--out", "points.json", "--no-browser"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    yield process, process.stdout.readline().split()[-1]
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_a_person_marks_a_drawing(marking, tmp_path):
    process, address = marking
    browser = Browser(tmp_path / "profile", 1100, 700)
    try:
        browser.open(address, "current === 'left_eye' && document.querySelector('#picture').getBBox().width")

        def screen(x, y):
            place = f"new DOMPoint({x}, {y}).matrixTransform(stage.getScreenCTM())"
            return browser.ask(f"(() => {{ const p = {place}; return [p.x, p.y]; }})()")

        # Four with the mouse, the third of them in a wrong place.
        for name in ("left_eye", "right_eye", "nose", "mouth"):
            browser.click(*screen(*FIVE[name] if name != "nose" else (160, 150)))
        assert browser.ask("byId('save').disabled")
        # The fifth with the keyboard: the cross begins in the middle.
        browser.ask("stage.focus()")
        assert browser.ask("current") == "chin"
        for _ in range(400):
            at = browser.ask("cross && cross[1]")
            if at and at >= 280:
                break
            browser.key("ArrowDown")
        browser.key("Enter")
        browser.wait("byId('line').getAttribute('d') && !byId('save').disabled")
        # The nose is dragged to where it belongs; that, too, can be taken back.
        before = browser.ask("byId('line').getAttribute('d')")
        start, end = screen(160, 150), screen(*FIVE["nose"])
        browser.mouse("Pressed", *start)
        browser.mouse("Moved", (start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        browser.mouse("Moved", *end)
        browser.mouse("Released", *end)
        browser.wait(f"byId('line').getAttribute('d') !== {json.dumps(before)}")
        browser.key("u")
        assert abs(browser.ask("marks.nose[1]") - 150) < 2
        browser.ask("byId('undo').click()")
        assert browser.ask("'chin' in marks") is False
        browser.click(*screen(*FIVE["chin"]))
        # Zoomed in, the place clicked is still the place meant.
        browser.ask("choose('nose'); remove(); zoom(0.5)")
        browser.click(*screen(*FIVE["nose"]))
        browser.ask("choose('left_lid_top')")
        browser.click(*screen(110, 117))
        assert browser.ask("current") == "left_lid_bottom"
        browser.ask("byId('save').click()")
        browser.wait("!byId('done').hidden")
        assert "--landmarks points.json" in browser.ask("byId('then').textContent")
    finally:
        browser.close()
    assert process.wait(10) == 0
    assert "gioconda animate 'a drawing.png' --landmarks points.json --driver orator" in process.stdout.read()
    saved = read_marks(tmp_path / "points.json")
    assert (saved.picture, saved.size) == ("a drawing.png", (320, 320))
    assert set(saved.marks) == {*FIVE, "left_lid_top"}
    for name, place in FIVE.items():
        assert np.linalg.norm(np.subtract(saved.marks[name], place)) < 2, name


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_fits_a_telephone(shown, tmp_path, dark):
    browser = Browser(tmp_path / "profile", 360, 640, dark)
    try:
        browser.open(shown.server.address, "current === 'left_eye'")
        assert browser.ask("document.documentElement.scrollWidth") <= 360
        assert browser.ask("document.documentElement.scrollHeight") <= 640
        left, top, right, bottom = browser.ask(
            "(() => { const b = byId('save').getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom]; })()"
        )
        assert left >= 0
        assert right <= 360
        assert bottom <= 640
        assert bottom - top >= 36
        paper = browser.ask("getComputedStyle(document.body).backgroundColor")
        assert (int(re.findall(r"\d+", paper)[0]) < 128) == dark
    finally:
        browser.close()
