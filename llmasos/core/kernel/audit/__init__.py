"""The audit log: what was asked of the kernel, by whom, what it decided, and what came of it."""

from llmasos.core.kernel.audit.anchor import Anchor, Checkpoint
from llmasos.core.kernel.audit.auditor import Auditor
from llmasos.core.kernel.audit.chain import BrokenChain
from llmasos.core.kernel.audit.log import FOLDER, AuditLog, Record, public_key
from llmasos.core.kernel.audit.verify import verify, verify_with_key

__all__ = [
    "FOLDER",
    "Anchor",
    "AuditLog",
    "Auditor",
    "BrokenChain",
    "Checkpoint",
    "Record",
    "public_key",
    "verify",
    "verify_with_key",
]
