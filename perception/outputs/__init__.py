"""What a run shows and leaves behind: annotated pictures, video, tables of results, a window.

history = TrackHistory()
with VideoWriter(folder / "scene.mp4", rate_fps=10) as video, ResultWriter(folder, cameras=("front",)) as tables:
    for scene in scenes:
        history.update(scene)
        video.write(draw_scene(scene, history=history), scene.timestamp_ns)
        tables.write(scene)

Of calibrated cameras, ``draw_scene(scene, history=history, rig=source.rig)`` also shows the world from above.
"""

from perception.outputs.annotation import AnnotationStyle
from perception.outputs.drawing import draw_scene
from perception.outputs.folders import next_run_folder, output_folder
from perception.outputs.history import TrackHistory
from perception.outputs.reading import ForecastRecord, Results, read_results
from perception.outputs.results import ResultWriter
from perception.outputs.video import VideoWriter
from perception.outputs.window import Window

__all__ = [
    "AnnotationStyle",
    "ForecastRecord",
    "ResultWriter",
    "Results",
    "TrackHistory",
    "VideoWriter",
    "Window",
    "draw_scene",
    "next_run_folder",
    "output_folder",
    "read_results",
]
