"""The story of a sync: what it has to know, what it decides, and the one transaction in which it writes."""
