"""What a run leaves behind: tables of results, written scene by scene and read again; folders of runs."""

from perception.results.reader import ForecastRecord, Results, read_results
from perception.results.run_folder import RUN_FILE, next_run_folder, output_folder, reused_folder, safe_name
from perception.results.writer import ResultWriter

__all__ = [
    "RUN_FILE",
    "ForecastRecord",
    "ResultWriter",
    "Results",
    "next_run_folder",
    "output_folder",
    "read_results",
    "reused_folder",
    "safe_name",
]
