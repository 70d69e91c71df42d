"""What people get back: the trash, earlier versions, and undoing what was done to a collection."""
