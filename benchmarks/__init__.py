"""Every figure that the project claims, each beside a floor measured in the same run."""
