"""Traffic by SUMO: streets, routes, vehicles, pedestrians, the recording car."""
