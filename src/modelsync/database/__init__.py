"""Connections, the schema and its migrations, and the only SQL that writes."""
