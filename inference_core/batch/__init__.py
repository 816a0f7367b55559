"""Super-resolving whole studies, on this machine or a cluster."""

from inference_core.batch.plan import TABLE
from inference_core.batch.request import BatchRequest
from inference_core.batch.run import BatchProgress, run_batch
from inference_core.batch.task import BatchRow
from inference_core.study.walker import find_patients

__all__ = ["TABLE", "BatchProgress", "BatchRequest", "BatchRow", "find_patients", "run_batch"]
