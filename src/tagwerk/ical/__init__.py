"""iCalendar: what an object means (RFC 5545).  Pure: no I/O, no clock."""
