"""The model of teeth and tongue: places by hand, bounds by hypothesis."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gioconda.rendering.dentition import LOWER, UPPER, Dentition, Jaws, Palette, Sight

TEETH, GUMS, TONGUE, DARK = (
    np.array(colour, float) for colour in ((240, 230, 210), (200, 110, 110), (180, 90, 90), (30, 15, 15))
)
BLACK = np.zeros(3)
PALETTE = Palette(TEETH, GUMS, TONGUE, DARK, BLACK)
AHEAD = np.array([0, 0, 1], np.float32)
OPEN = Jaws(upper=4.0, lower=24.0, right=0.0, opened=24.0)
STEP = 0.25


@pytest.fixture(scope="module")
def dentition():
    return Dentition(PALETTE, pixels=4.0)


def sight(ray=AHEAD):
    y, x = np.mgrid[-6:36:STEP, -32 : 32 + STEP : STEP].astype(np.float32)
    return Sight(x, y, np.asarray(ray, np.float32))


def at(colours, x, y):
    return colours[round((y + 6) / STEP), round((x + 32) / STEP)]


def test_teeth_above_darkness_between_tongue_and_teeth_below(dentition):
    colours = dentition.draw(sight(), OPEN)
    upper, between, tongue, lower = (at(colours, 4, y) for y in (1, 8, 20, 26))
    assert np.abs(upper - TEETH).max() < 0.25 * TEETH.max()
    assert np.abs(between - DARK).max() < 3
    assert tongue[0] > 2 * DARK[0]
    assert tongue[0] > 1.3 * tongue[1]
    assert np.abs(lower - TEETH).max() < 0.35 * TEETH.max()


def test_the_gums_are_a_crown_above_the_edge(dentition):
    colours = dentition.draw(sight(), Jaws(upper=10.0, lower=30.0, right=0.0, opened=20.0))
    gum = at(colours, 4.25, 10 - UPPER.heights[0] - 3)
    assert np.abs(gum / gum[0] - GUMS / GUMS[0]).max() < 0.05


def test_both_sides_are_alike(dentition):
    colours = dentition.draw(sight(), OPEN)
    assert np.abs(colours - colours[:, ::-1]).max() < 8
    assert np.abs(colours - colours[:, ::-1]).mean() < 0.1


def test_the_first_seams_are_a_central_incisor_apart(dentition):
    x = np.arange(-12, 12, 0.05, dtype=np.float32)
    row = dentition.draw(Sight(x[None], np.full_like(x, 2.0)[None], AHEAD), OPEN)[0].sum(axis=1)
    darkest = [x[part][np.argmin(row[part])] for part in (x < -4, np.abs(x) < 4, x > 4)]
    # Along the arch they are 8.5 mm apart; seen from the front a little less.
    assert darkest[1] == pytest.approx(0, abs=0.2)
    assert -darkest[0] == pytest.approx(UPPER.widths[0], abs=0.4)
    assert darkest[2] == pytest.approx(UPPER.widths[0], abs=0.4)


def test_the_lower_row_goes_with_the_jaw(dentition):
    def lower_edge(jaws):
        column = dentition.draw(sight(), jaws)[:, round(35 / STEP)]
        bright = np.flatnonzero(column[:, 1] > 130)
        return bright[bright > round(12 / STEP)][0] * STEP - 6

    down = lower_edge(Jaws(4.0, 26.0, 0.0, 24.0)) - lower_edge(Jaws(4.0, 20.0, 0.0, 24.0))
    assert down == pytest.approx(6, abs=STEP)


def test_a_turned_head_shows_more_of_the_near_side(dentition):
    # The line of sight goes to the right of the head: it meets the left side of the row.
    turned = dentition.draw(sight((0.5, 0, 0.87)), OPEN)
    bright = (turned[round(7.5 / STEP)] > 60).all(axis=1)
    x = np.arange(-32, 32 + STEP, STEP)[bright]
    assert -x.min() > x.max() + 5


def test_light_from_one_side_is_on_that_side():
    lit = Dentition(Palette(TEETH, GUMS, TONGUE, DARK, BLACK, side=0.5), pixels=4.0).draw(sight(), OPEN)
    row = lit[round(7.5 / STEP)].sum(axis=1)
    middle = len(row) // 2
    assert row[middle:].sum() > 1.2 * row[:middle].sum()


def test_any_resolution_shows_the_same():
    coarse, fine = (Dentition(PALETTE, pixels).draw(sight(), OPEN) for pixels in (1.0, 12.0))
    assert np.abs(coarse - fine).mean() < 6


@settings(max_examples=40)
@given(
    st.tuples(st.floats(-0.8, 0.8), st.floats(-0.6, 0.6)),
    st.floats(-5, 15),
    st.floats(-5, 60),
    st.floats(-8, 8),
    st.floats(0, 60),
)
def test_colours_are_colours(ray, upper, lower, right, opened):
    dentition = Dentition(PALETTE, pixels=1.0)
    colours = dentition.draw(sight((*ray, 1.0)), Jaws(upper, lower, right, opened))
    assert colours.dtype == np.float32
    assert np.isfinite(colours).all()
    assert colours.min() >= 0
    assert colours.max() <= 1.2 * TEETH.max()


def test_crowns_fill_their_arches():
    # Half an ellipse's front is as long as the seven teeth on it, within the room behind the last.
    for arch in (UPPER, LOWER):
        quarter = (
            np.pi
            / 4
            * (3 * (arch.across + arch.deep) - np.sqrt((3 * arch.across + arch.deep) * (arch.across + 3 * arch.deep)))
        )
        assert 0 < quarter - sum(arch.widths) < 8
        assert len(arch.widths) == len(arch.heights) == len(arch.edges) == 7


def test_nothing_is_darker_than_the_picture_s_black():
    black = np.array([70.0, 55.0, 35.0])
    faded = Dentition(Palette(TEETH, GUMS, TONGUE, black, black), pixels=4.0).draw(sight(), OPEN)
    assert (faded >= black - 0.01).all()
    assert (faded.max(axis=(0, 1)) <= TEETH * 1.15).all()


def test_between_rows_that_nearly_meet_the_tongue_is_dark(dentition):
    def between(gap):
        # The place on the tongue that both show: half a millimetre above the lower row's edge.
        return at(dentition.draw(sight(), Jaws(upper=24.0 - gap, lower=24.0, right=0.0, opened=10.0)), 0, 23.5)

    apart, near = between(8.0), between(1.0)
    assert apart[0] > 2 * DARK[0]
    assert near[0] < 0.6 * apart[0]
