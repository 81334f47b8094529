"""What a user can cause, and can mend."""

from __future__ import annotations


class UserError(Exception):
    """Names the input, what was expected and the next step. Neither a terminal nor a notebook shows its traceback."""

    def _render_traceback_(self) -> list[str]:  # IPython's own hook
        return [f"{self}"]


class NoLlama(UserError):
    """llama.cpp is not here, or fails on this machine: what needs it is left out, and the rest works."""
