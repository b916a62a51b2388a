"""Background processes: programs that run without anybody waiting, at once or at clock times."""

from llmasos.services.jobs.service import Jobs

__all__ = ["Jobs"]
