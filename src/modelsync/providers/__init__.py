"""One module per provider: its facts and how one of its rows becomes a model. `registry.py` finds them."""
