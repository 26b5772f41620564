"""What need not be drawn: outside the picture, behind houses; and what is seen of the rest."""
