"""What persons do to the catalog. Each act is one transaction, audited."""
