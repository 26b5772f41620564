"""The report in forms for other readers: a page, Markdown, CSV."""
