"""The providers that come with this program: a new file here is a new provider."""
