"""What commands import and read, at once or when they need it: the server that they are forked from has it already."""

import gc
import importlib
import pkgutil

import modelsync
from modelsync.fetch import authorities

LATER = (
    *("alembic.command", "alembic.config", "anyio._backends._asyncio", "httpcore2", "support.crash"),
    *("uvicorn.lifespan.on", "uvicorn.loops.auto", "uvicorn.protocols.http.httptools_impl", "uvicorn.protocols.websockets.auto"),
)

for module in pkgutil.walk_packages(modelsync.__path__, "modelsync."):
    if module.name.rpartition(".")[2] != "__main__" and ".versions." not in module.name and not module.name.endswith("migrations.env"):
        importlib.import_module(module.name)
for name in LATER:
    importlib.import_module(name)
authorities()

# What is here stays: a collection in a forked child would look at, and so copy, all of it. That takes longer than most commands.
gc.collect()
gc.freeze()
