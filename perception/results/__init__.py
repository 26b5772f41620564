"""What a run leaves behind: tables of results, written scene by scene and read again; folders of runs."""

from perception.results.reader import ForecastRecord, Results, read_results
from perception.results.run_folder import next_run_folder, output_folder
from perception.results.writer import ResultWriter

__all__ = ["ForecastRecord", "ResultWriter", "Results", "next_run_folder", "output_folder", "read_results"]
