"""The calculator: reads arithmetic as people say it. First-party, and written as a third party would."""

from __future__ import annotations

from llmasos.sdk import ToolError, syscall

from .lexer import tokens
from .parser import Parser
from .results import shown


@syscall(effect="read")
def evaluate(expression: str) -> str:
    """Work out arithmetic.

    Args:
        expression: The arithmetic as said, in figures or words.

    Examples:
        what's 15% of 80
        calculate 12 times 7 plus 3
        how much is the square root of 144
        what is three quarters of 60
        work out (3 + 4) * 5^2
        what do 19.99, 4.50 and 12.25 come to
        三乘以五加二等于几
        80的15%是多少
    """
    parser = Parser(tokens(expression))
    try:
        return shown(parser.result(), parser.notes)
    except OverflowError:  # an exact number of hundreds of digits met one that isn't exact
        raise ToolError("The numbers get too large.", "I can't go that far.") from None
