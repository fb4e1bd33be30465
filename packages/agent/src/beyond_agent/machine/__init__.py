"""The machine that the seams lead to: its files, its programs, and files for output that is too long to show."""
