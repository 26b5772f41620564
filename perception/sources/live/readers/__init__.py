"""What live cameras are read with: a webcam, an MJPEG stream, any other stream that FFmpeg understands, a file."""
