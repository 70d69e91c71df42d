"""Coming from elsewhere: other servers' users, collections and objects, as they were there."""
