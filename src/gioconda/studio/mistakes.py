"""What others than the page get wrong when they ask: told to whoever asked, in a line.

Gradio takes it for faults of the program, which it answers with status 500 and prints on the terminal with a traceback.
"""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.route_utils import FnIndexInferError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gioconda.untrusted import one_line


class Blocks(gr.Blocks):
    """A page whose functions may be asked for with any values."""

    async def preprocess_data(self, *arguments: Any, **options: Any) -> Any:
        """What the functions take, made of what was sent. Raises `gradio.Error`: nothing can be made of it."""
        try:
            return await super().preprocess_data(*arguments, **options)
        except OSError:
            raise
        except gr.Error as error:
            raise gr.Error(error.message, print_exception=False) from error
        except Exception as error:  # of every kind, by the component
            raise gr.Error(f"that is not what is wanted here: {one_line(error)}", print_exception=False) from error


async def _told(request: Request, error: Exception) -> Response:
    return JSONResponse({"detail": one_line(error)}, 422)


TOLD: dict[type[Exception], Any] = dict.fromkeys((FnIndexInferError, KeyError, TypeError, ValueError), _told)
"""What Gradio's routes raise before any function is called: there is none of that name or number, a value is missing or
is one too many."""
