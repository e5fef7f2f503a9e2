"""What is read of the catalog, for every face."""
