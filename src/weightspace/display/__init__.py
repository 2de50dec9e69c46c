"""From findings to what a page shows: the style, figures and tables."""
