-- Schema 2: who else sees a collection, under which name, and what of it is their own.

-- Who has been given what.  grantee_id is a person, a group (then its members have it), or
-- 0 for everybody on this server.
CREATE TABLE share (
    collection_id BIGINT NOT NULL REFERENCES collection (id) ON DELETE CASCADE,
    grantee_id BIGINT NOT NULL,
    access TEXT NOT NULL,
    summary TEXT NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (collection_id, grantee_id)
);

CREATE INDEX share_grantee ON share (grantee_id);

-- Where somebody sees a collection, and what they said to the share.  What they may do
-- there is asked of `share` at each request.  name is '' unless it is accepted.
CREATE TABLE binding_2 (
    id BIGINT NOT NULL PRIMARY KEY,
    principal_id BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
    collection_id BIGINT NOT NULL REFERENCES collection (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    created BIGINT NOT NULL
);

INSERT INTO binding_2 (id, principal_id, collection_id, name, status, created)
    SELECT id, principal_id, collection_id, name, 'accepted', created FROM binding
    WHERE NOT removed AND collection_id IS NOT NULL;

DROP TABLE binding;

ALTER TABLE binding_2 RENAME TO binding;

CREATE UNIQUE INDEX binding_name ON binding (principal_id, name) WHERE status = 'accepted';

CREATE UNIQUE INDEX binding_collection ON binding (collection_id, principal_id);

-- Whom somebody lets act for them, on all of their calendars: access is read or write.
CREATE TABLE delegation (
    principal_id BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
    delegate_id BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
    access TEXT NOT NULL,
    PRIMARY KEY (principal_id, delegate_id)
);

CREATE INDEX delegation_delegate ON delegation (delegate_id);

-- A URL that opens a collection to whoever knows it.  Only its hash is here.
CREATE TABLE link (
    id BIGINT NOT NULL PRIMARY KEY,
    collection_id BIGINT NOT NULL REFERENCES collection (id) ON DELETE CASCADE,
    token_hash TEXT NOT NULL,
    access TEXT NOT NULL,
    label TEXT NOT NULL,
    password_hash TEXT,
    created BIGINT NOT NULL,
    expires BIGINT,
    last_used BIGINT,
    last_used_from TEXT
);

CREATE UNIQUE INDEX link_token ON link (token_hash);

CREATE INDEX link_collection ON link (collection_id);

-- What somebody other than the owner has of their own in an object: alarms, transparency.
-- data is '' where they have nothing any more; modseq is the collection's.
CREATE TABLE personal (
    principal_id BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
    collection_id BIGINT NOT NULL REFERENCES collection (id) ON DELETE CASCADE,
    object_name TEXT NOT NULL,
    modseq BIGINT NOT NULL,
    tag TEXT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (principal_id, collection_id, object_name)
);

CREATE INDEX personal_object ON personal (collection_id, object_name);

CREATE INDEX personal_modseq ON personal (principal_id, collection_id, modseq);

-- Who shared what with whom, as words: it outlives what it is about.
CREATE TABLE audit (
    id BIGINT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    owner TEXT NOT NULL,
    collection TEXT NOT NULL,
    grantee TEXT NOT NULL,
    detail TEXT NOT NULL
);

CREATE INDEX audit_at ON audit (at);

-- '' for what the settings say, else at-once or ask.
ALTER TABLE principal ADD COLUMN accept TEXT NOT NULL DEFAULT '';

-- Where a group comes from: '' for `tagwerk group`, else the directory that says who is in it.
ALTER TABLE principal ADD COLUMN source TEXT NOT NULL DEFAULT '';

ALTER TABLE collection ADD COLUMN shared_modseq BIGINT NOT NULL DEFAULT 0;

UPDATE collection SET shared_modseq = modseq;

-- The table anew, because content has to stay the last column.  privacy: what others see
-- of an object; hidden_modseq: when it was hidden from those who do not manage the calendar
-- (0: they never saw it); alarms: it holds things of its owner's own.
CREATE TABLE object_2 (
    collection_id BIGINT NOT NULL REFERENCES collection (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    uid TEXT NOT NULL,
    component TEXT NOT NULL,
    etag TEXT NOT NULL,
    size BIGINT NOT NULL,
    modseq BIGINT NOT NULL,
    created_modseq BIGINT NOT NULL,
    hidden_modseq BIGINT NOT NULL,
    removed BOOLEAN NOT NULL,
    privacy INTEGER NOT NULL,
    alarms BOOLEAN NOT NULL,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL,
    first_instant BIGINT NOT NULL,
    last_instant BIGINT NOT NULL,
    floating BOOLEAN NOT NULL,
    busy INTEGER NOT NULL,
    spans_from BIGINT NOT NULL,
    spans_until BIGINT NOT NULL,
    repairs TEXT NOT NULL,
    spans {blob},
    search TEXT NOT NULL,
    content {blob},
    PRIMARY KEY (collection_id, name)
);

INSERT INTO object_2 (collection_id, name, uid, component, etag, size, modseq, created_modseq, hidden_modseq,
    removed, privacy, alarms, created, modified, first_instant, last_instant, floating, busy, spans_from,
    spans_until, repairs, spans, search, content)
    SELECT collection_id, name, uid, component, etag, size, modseq, created_modseq, 0, removed, 0, FALSE, created,
    modified, first_instant, last_instant, floating, busy, spans_from, spans_until, repairs, spans, search, content
    FROM object;

DROP TABLE object;

ALTER TABLE object_2 RENAME TO object;

CREATE UNIQUE INDEX object_uid ON object (collection_id, uid) WHERE NOT removed;

-- Covers the questions that are asked most: what changed, and every ETag.
CREATE UNIQUE INDEX object_modseq
    ON object (collection_id, modseq, removed, name, etag, privacy, alarms, hidden_modseq);

CREATE INDEX object_last ON object (collection_id, last_instant, first_instant);
