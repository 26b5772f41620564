"""What the network is fed: motion of a track, in the image and on the ground."""
