"""What of the person's own things answers a question: the sentence itself, and where it stands.

    passage.py    sentences, each with its place
    question.py   what a question asks for
    rank.py       which sentence answers it, and whether any does
    grounds.py    all places together: files, memories, events, to-dos, conversations, and the system's own pages

Nothing is rewritten, so nothing is made up: an answer is a quotation with its source, or none is given.
"""

from llmasos.services.answers.grounds import Answer, Grounds, Look
from llmasos.services.answers.passage import Passage

__all__ = ["Answer", "Grounds", "Look", "Passage"]
