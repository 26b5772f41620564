"""What live cameras gave, kept as it came, and played again instant by instant.

| file below the folder | content |
|---|---|
| ``stream.yaml`` | the cameras, the name of the source, the configuration of the run |
| ``segments/000001/`` | ten seconds; old ones are deleted whole where only so much is to be kept |
| ``.../01-front.h264``, ``.mjpeg`` | the camera's packets or pictures, one behind the other, as they came |
| ``.../01-front.jsonl`` | a line for each connection, packet and absence: see ``log_lines`` |
| ``.../instants.jsonl`` | a line for each instant that was handed out: which pictures made it up |

Nothing is encoded a second time, and nothing is held back: a process that is killed loses at most the packet that it
was writing. The log of instants decides what is played, not a clock, so that a replay is the same run.
"""
