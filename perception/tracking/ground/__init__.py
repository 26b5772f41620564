"""The ground frame: detections lifted to the road, tracked in metres across cameras."""
