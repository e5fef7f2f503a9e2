"""What Python programs call: syncs, models of their own, and a catalog to read. `modelsync` exports it."""
