"""Tables of sabre/dav's family with one user, as SQL for SQLite."""

SABRE = """
CREATE TABLE principals (id INTEGER PRIMARY KEY, uri TEXT, email TEXT, displayname TEXT);
CREATE TABLE calendars (id INTEGER PRIMARY KEY, synctoken INTEGER, components TEXT);
CREATE TABLE calendarinstances (id INTEGER PRIMARY KEY, calendarid INTEGER, principaluri TEXT, access INTEGER,
  displayname TEXT, uri TEXT, description TEXT, calendarorder INTEGER, calendarcolor TEXT, timezone TEXT);
CREATE TABLE calendarobjects (id INTEGER PRIMARY KEY, calendardata BLOB, uri TEXT, calendarid INTEGER);
CREATE TABLE addressbooks (id INTEGER PRIMARY KEY, principaluri TEXT, displayname TEXT, uri TEXT, description TEXT);
CREATE TABLE cards (id INTEGER PRIMARY KEY, addressbookid INTEGER, carddata BLOB, uri TEXT);
INSERT INTO principals VALUES (1, 'principals/anna', 'anna@example.org', 'Anna'),
  (2, 'principals/anna/calendar-proxy-read', NULL, NULL), (3, 'principals/ben', NULL, NULL);
INSERT INTO calendars VALUES (7, 1, 'VEVENT');
INSERT INTO calendarinstances VALUES
  (1, 7, 'principals/anna', 1, 'Work & play', 'work', 'What anna does', 3, '#ff8800ff', NULL),
  (2, 7, 'principals/ben', 3, 'Work', 'shared', NULL, 0, NULL, NULL);
INSERT INTO addressbooks VALUES (9, 'principals/anna', 'Friends', 'friends', NULL);
"""

NEXTCLOUD = """
CREATE TABLE oc_users (uid TEXT, displayname TEXT, password TEXT);
CREATE TABLE oc_preferences (userid TEXT, appid TEXT, configkey TEXT, configvalue TEXT);
CREATE TABLE oc_calendars (id INTEGER PRIMARY KEY, principaluri TEXT, displayname TEXT, uri TEXT, description TEXT,
  calendarorder INTEGER, calendarcolor TEXT, timezone TEXT, components TEXT, deleted_at INTEGER);
CREATE TABLE oc_calendarobjects (id INTEGER PRIMARY KEY, calendardata BLOB, uri TEXT, calendarid INTEGER,
  calendartype INTEGER, deleted_at INTEGER);
CREATE TABLE oc_calendarsubscriptions (id INTEGER, source TEXT, principaluri TEXT);
CREATE TABLE oc_dav_shares (id INTEGER, principaluri TEXT, type TEXT, access INTEGER, resourceid INTEGER);
CREATE TABLE oc_addressbooks (id INTEGER PRIMARY KEY, principaluri TEXT, displayname TEXT, uri TEXT, description TEXT);
CREATE TABLE oc_cards (id INTEGER PRIMARY KEY, addressbookid INTEGER, carddata BLOB, uri TEXT);
INSERT INTO oc_preferences VALUES ('anna', 'settings', 'email', 'anna@example.org');
INSERT INTO oc_calendars VALUES
  (7, 'principals/users/anna', 'Work & play', 'work', 'What anna does', 3, '#ff8800ff', NULL, 'VEVENT', NULL),
  (8, 'principals/users/anna', 'Old', 'old', NULL, 0, NULL, NULL, 'VEVENT', 1700000000),
  (9, 'principals/users/anna', 'Birthdays', 'contact_birthdays', NULL, 0, NULL, NULL, 'VEVENT', NULL);
INSERT INTO oc_calendarsubscriptions VALUES (1, 'https://example.org/holidays.ics', 'principals/users/anna');
INSERT INTO oc_dav_shares VALUES (1, 'principals/users/ben', 'calendar', 3, 7);
INSERT INTO oc_addressbooks VALUES (9, 'principals/users/anna', 'Friends', 'friends', NULL);
"""
