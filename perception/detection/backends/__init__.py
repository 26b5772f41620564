"""Other people's detectors: torchvision's models, exported ONNX and ncnn networks."""
