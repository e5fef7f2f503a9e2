"""`python -m modelsync`."""

from modelsync.cli import main

main()
