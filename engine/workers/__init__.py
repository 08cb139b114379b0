"""Workers: Python functions that do the jobs of the processes, outside the engine's transactions.

    from engine.workers import BpmnError, JobContext, worker

    @worker("credit-check", retries=5)
    def check(job: JobContext) -> dict:
        if not job.variables["name"]:
            raise BpmnError("NO_NAME", "The applicant has no name.")
        return {"score": 7}

A job is done at least once: a function may be run again after a crash, and should hand ``job.idempotency_key`` to whatever
it calls.  The functions run in ``banjie serve`` or in ``banjie worker``; see :class:`~engine.workers.runner.Runner`.
"""

from engine.workers.delivered import all_workers
from engine.workers.registry import Worker, worker
from engine.workers.runner import Runner
from engine.workers.settings import WorkerSettings
from engine.workers.work import BpmnError, JobContext, JobFailed

__all__ = ["BpmnError", "JobContext", "JobFailed", "Runner", "Worker", "WorkerSettings", "all_workers", "worker"]
