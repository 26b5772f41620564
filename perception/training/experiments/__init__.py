"""Studies made of many trainings: overfitting, feature ablation, data scaling."""
