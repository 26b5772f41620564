"""Tables in files that other programs write and read, too: boxes as text and JSON, columns as Parquet."""
