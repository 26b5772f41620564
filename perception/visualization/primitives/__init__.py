"""What all pictures are drawn with: colours, labels, anti-aliased overlays, resizing."""
