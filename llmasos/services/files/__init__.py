"""The workspace's files as syscalls: found as a person names them, contained, each change undoable."""

from llmasos.services.files.meaning import Embedder
from llmasos.services.files.service import Files
from llmasos.services.files.shell import cd, pwd

__all__ = ["Embedder", "Files", "cd", "pwd"]
