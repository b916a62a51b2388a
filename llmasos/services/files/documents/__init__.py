"""Documents that are more than text: PDF, Word, OpenDocument, e-books, RTF, web pages.

    reader.py    the kernel's end: a confined child for each document, and what comes of it

    plugin.py    the child: bytes in, parts of text out; a document's parser never runs in the kernel
    libraries.py   how it finds the few libraries that it was granted
    pdf.py         pages
    zipped.py      Word, OpenDocument and e-books, which are ZIP archives
    markup.py      HTML, and what becomes HTML on the way
    clean.py       text that can be passed on

A document is somebody else's program in disguise: it can hang its reader, or unpack to more than there is. So it is
read where plugins run, in a process with nothing but its bytes, a limit of memory and time, and no way out.
"""

from llmasos.services.files.documents.reader import KINDS, Document, Documents, Part

__all__ = ["KINDS", "Document", "Documents", "Part"]
