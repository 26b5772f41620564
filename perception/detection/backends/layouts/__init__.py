"""How other people's ONNX files state what they found: one file for each layout of inputs and outputs."""
