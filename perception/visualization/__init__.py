"""What a run shows: annotated pictures, the bird's-eye view, video, a window.

history = TrackHistory()
with VideoWriter(folder / "scene.mp4", rate_fps=10) as video:
    for scene in scenes:
        history.update(scene)
        video.write(draw_scene(scene, history=history), scene.timestamp_ns)

Of calibrated cameras, ``draw_scene(scene, history=history, rig=source.rig)`` also shows the world from above.
"""

from perception.visualization.image_view.annotation import AnnotationStyle
from perception.visualization.picture import PICTURE_SUFFIXES, PictureWriter
from perception.visualization.primitives.track_history import TrackHistory
from perception.visualization.scene_view import draw_scene
from perception.visualization.video import VideoWriter
from perception.visualization.window import Window

__all__ = [
    "PICTURE_SUFFIXES",
    "AnnotationStyle",
    "PictureWriter",
    "TrackHistory",
    "VideoWriter",
    "Window",
    "draw_scene",
]
