"""What a run leaves behind: tables of results, written scene by scene and read again; folders of runs."""

from perception.results.crops import CropWriter
from perception.results.label_files import LabelWriter
from perception.results.reader import ForecastRecord, Results, read_results
from perception.results.run_folder import RUN_FILE, next_run_folder, output_folder, reused_folder, safe_name
from perception.results.track_csv import TrackCsvWriter
from perception.results.writer import ResultWriter

__all__ = [
    "RUN_FILE",
    "CropWriter",
    "ForecastRecord",
    "LabelWriter",
    "ResultWriter",
    "Results",
    "TrackCsvWriter",
    "next_run_folder",
    "output_folder",
    "read_results",
    "reused_folder",
    "safe_name",
]
