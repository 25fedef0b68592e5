"""Who lives and who dies. Knows no frame and no task."""
