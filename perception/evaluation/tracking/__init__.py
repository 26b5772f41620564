"""HOTA, IDF1 and MOTA, identity across cameras, position errors."""
