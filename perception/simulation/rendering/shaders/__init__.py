"""The programs that run on the graphics card."""
