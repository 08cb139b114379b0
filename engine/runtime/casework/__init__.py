"""One case on the desk: its file, its state and stages, papers, drafts, numbers, what may be done with it and by whom."""
