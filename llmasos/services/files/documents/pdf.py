"""PDF by pypdf, page by page."""

from __future__ import annotations

import io
from typing import Any

from llmasos.sdk import ToolError

from .clean import clean
from .libraries import library


class Pages:
    """The pages of a PDF.

    Args:
        data: Its bytes.

    Raises:
        ToolError: It is no PDF that can be read, or locked.
    """

    def __init__(self, data: bytes) -> None:
        pypdf = library("pypdf")
        self._faults: Any = (pypdf.errors.PyPdfError, KeyError, TypeError, ValueError, AttributeError, IndexError)
        try:
            self._reader = pypdf.PdfReader(io.BytesIO(data), strict=False)
            locked = self._reader.is_encrypted and not self._reader.decrypt("")
            self._count = 0 if locked else len(self._reader.pages)
        except pypdf.errors.DependencyError:
            locked = True
        except self._faults as error:
            raise ToolError(f"It is damaged: {str(error)[:200]}.") from None
        if locked:
            raise ToolError("It is locked with a password.", "Save it without one.")

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> str:
        """The text of a page, counted from 0; empty where that page can't be read."""
        try:
            return clean(self._reader.pages[number].extract_text())
        except self._faults:
            return ""
