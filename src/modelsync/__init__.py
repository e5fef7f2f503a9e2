"""modelsync keeps a database catalog of AI models in step with what providers' own APIs say."""

__version__ = "0.1.0"
