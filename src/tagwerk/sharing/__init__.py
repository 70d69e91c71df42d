"""Who sees what of whose collections: below the methods, so that none can go around it."""
