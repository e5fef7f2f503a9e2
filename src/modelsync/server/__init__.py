"""What everything that answers over HTTP shares: connections, who may do what, threads, answers kept until the catalog changes."""
