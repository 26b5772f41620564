"""RoadNet: the network, its engines, its ONNX graph, its weights."""
