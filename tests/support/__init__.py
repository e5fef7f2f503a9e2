"""What several tests need, a purpose a file. What authors of providers need is in `modelsync.testing`."""
