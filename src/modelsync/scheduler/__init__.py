"""What runs by itself: syncs of providers that are due."""
