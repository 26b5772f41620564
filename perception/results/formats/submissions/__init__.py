"""Predicted paths in the files that public forecasting challenges take, with their own names of objects and times."""
