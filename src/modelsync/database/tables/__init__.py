"""The rows of one table each, or of a few that belong together."""
