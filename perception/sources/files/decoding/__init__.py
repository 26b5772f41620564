"""Reading a video file packet by packet: its best stream, its index, its frames in order."""
