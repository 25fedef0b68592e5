"""Programs as a user of the engine writes them; the type checker reads them as strictly as it can."""
