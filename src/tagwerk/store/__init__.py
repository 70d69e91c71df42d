"""The database.  SQL lives here and nowhere else; every function takes the transaction first."""
