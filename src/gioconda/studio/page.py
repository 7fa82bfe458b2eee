"""The page as a whole: pictures above, tabs below, and what happens when somebody comes and goes."""

from __future__ import annotations

import gradio as gr

from gioconda.studio.api import api
from gioconda.studio.mistakes import Blocks
from gioconda.studio.portrait_panel import portrait_panel
from gioconda.studio.studio import LIGHT, Studio
from gioconda.studio.tabs import animate_tab, check_tab, personalise_tab, reel_tab, still_tab

MOST_TABS = 500
"""Of which it is known what they show; the tab not heard of for the longest time is forgotten first."""
FONT = ("system-ui", "sans-serif")
"""Fonts of the reader's own system: none is fetched."""


def theme() -> gr.themes.Base:
    """How the page looks: Gradio's own theme, with more contrast."""
    look = gr.themes.Default(primary_hue="emerald", font=FONT, font_mono=("ui-monospace", "monospace"))
    return look.set(
        body_text_color_subdued="*neutral_500",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_hover_dark="*primary_800",
        button_cancel_background_fill="#c62828",
        button_cancel_background_fill_hover="#a31515",
        color_accent="*primary_700",
    )


def build_page(studio: Studio) -> gr.Blocks:
    """All of it."""
    with Blocks(title="Gioconda studio", analytics_enabled=False) as page:
        gr.Markdown("# Gioconda studio\nA portrait comes to life: pictures in, somebody's movements, a clip out.")
        with gr.Row():
            with gr.Column(scale=2, min_width=280):
                panel = portrait_panel(studio)
            with gr.Column(scale=5, min_width=280), gr.Tabs():
                with gr.Tab("Animate"):
                    animate_tab(panel)
                with gr.Tab("Still picture") as still:
                    pass
                with gr.Tab("Reel"):
                    reel_tab(panel)
                with gr.Tab("Personalise"):
                    personalise_tab(panel)
                with gr.Tab("Check a clip"):
                    check_tab(studio)
                with still:  # last: it is drawn anew after everything that changes the subject
                    still_tab(panel, still)
        api(studio)
        page.load(studio.arrive, None, None, **LIGHT)
        page.unload(studio.leave)
    page.state_session_capacity = MOST_TABS
    return page.queue(max_size=studio.limits.waiting)
