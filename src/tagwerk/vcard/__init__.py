"""vCard: what a card means (RFC 2426, RFC 6350).  Pure: no I/O, no clock."""
