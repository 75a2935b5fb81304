"""A window that shows frames as they come, by Python's own tkinter."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from lineament.errors import UsageError

if TYPE_CHECKING:
    from lineament.types import UInt8


class Window:
    """Shows pictures one after the other. Closing it ends the work as Ctrl-C does.

    Raises `UsageError` where no window can be opened.
    """

    def __init__(self, title: str) -> None:
        try:
            import tkinter
        except ImportError as error:
            raise UsageError(
                "--show needs tkinter, which this Python lacks; use --draw FILE.mp4"
            ) from error
        try:
            self._root = tkinter.Tk()
        except tkinter.TclError as error:
            raise UsageError(
                f"--show: no window can be opened here ({error}); use --draw FILE.mp4"
            ) from None
        self._root.title(title)
        self._root.protocol("WM_DELETE_WINDOW", self._close)
        self._label = tkinter.Label(self._root)
        self._label.pack()
        self._photo: Any = None
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._root.destroy()

    def show(self, pixels: UInt8) -> None:
        """A picture, uint8 ``(H, W, 3)``; raises `KeyboardInterrupt` once the window was closed."""
        from PIL import Image, ImageTk

        # The window keeps no picture: one that nobody holds is not shown.
        self._photo = ImageTk.PhotoImage(Image.fromarray(pixels), master=self._root)
        self._label.configure(image=self._photo)
        self._root.update()
        if self._closed:
            raise KeyboardInterrupt

    def _close(self) -> None:
        self._closed = True
