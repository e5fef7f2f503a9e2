"""A local server that speaks every provider's wire format, from samples kept beside it."""
