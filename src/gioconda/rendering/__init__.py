"""Retargeted landmarks and views -> pixels of the face region.

A renderer is made once from the portrait's views and then called with the landmarks of each frame.
"""

from gioconda.rendering.composite import composite
from gioconda.rendering.flow import FlowRenderer
from gioconda.rendering.renderer import Patch, Renderer, make_renderer

__all__ = ["FlowRenderer", "Patch", "Renderer", "composite", "make_renderer"]
