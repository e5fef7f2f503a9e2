"""modelsync keeps a database catalog of AI models up to date with what providers' own APIs say."""

__version__ = "0.1.0"
