"""Strict templates: a variable without a value and a value without a place are both defects, and raise."""

from __future__ import annotations

from string import Formatter


class Template:
    """A text with `{named}` places.

    Args:
        text: The text; `{{` and `}}` stand for braces.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        fields = [field for _, field, spec, conversion in Formatter().parse(text) if field is not None]
        if any(not field.isidentifier() for field in fields):
            raise ValueError(f"a template's places are plain names: {fields}")
        self.names = frozenset(fields)

    def fill(self, **values: str) -> str:
        """The text with every place filled. Values are put in as they are: braces in them mean nothing.

        Raises:
            KeyError: A place has no value.
            ValueError: A value has no place.
        """
        missing = self.names - values.keys()
        if missing:
            raise KeyError(f"no value for {', '.join(sorted(missing))}")
        unused = values.keys() - self.names
        if unused:
            raise ValueError(f"no place for {', '.join(sorted(unused))}")
        return self._text.format(**values)
