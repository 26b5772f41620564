"""A camera in a process of its own, which can be killed: ``python picture_camera.py PORT FPS FOLDER``.

Serves the JPEG files of a folder to each client, again and again; only the standard library, to start fast.
"""

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def serve(port: int, fps: float, folder: Path) -> None:
    """Until it is killed."""
    pictures = [path.read_bytes() for path in sorted(folder.glob("*.jpg"))]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            started_s, number = time.monotonic(), 0
            while True:
                picture = pictures[number % len(pictures)]
                header = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
                self.wfile.write(header.encode() + picture + b"\r\n")
                number += 1
                time.sleep(max(0.0, started_s + number / fps - time.monotonic()))

        def log_message(self, *args: object) -> None:
            return

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3]))
