-- Schema 1.  One text for both engines; {blob} is the engine's type for bytes.
-- Ids are random 62-bit numbers made by the program, so that rows can move
-- between databases; instants are seconds since 1970 UTC.

CREATE TABLE meta (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE principal (
    id BIGINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    display_name TEXT NOT NULL,
    addresses TEXT NOT NULL,
    state TEXT NOT NULL,
    created BIGINT NOT NULL,
    quota BIGINT
);

CREATE UNIQUE INDEX principal_name ON principal (name);

CREATE TABLE membership (
    group_id BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
    member_id BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, member_id)
);

CREATE INDEX membership_member ON membership (member_id);

CREATE TABLE credential (
    id BIGINT NOT NULL PRIMARY KEY,
    principal_id BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    label TEXT NOT NULL,
    hash TEXT NOT NULL,
    rights TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT,
    last_used BIGINT,
    last_used_from TEXT
);

CREATE INDEX credential_principal ON credential (principal_id);

CREATE TABLE collection (
    id BIGINT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    owner_id BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
    epoch TEXT NOT NULL,
    modseq BIGINT NOT NULL,
    min_modseq BIGINT NOT NULL,
    components TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    created BIGINT NOT NULL,
    modified BIGINT NOT NULL
);

CREATE INDEX collection_owner ON collection (owner_id);

-- Where somebody sees a collection.  The row of a binding that is gone stays,
-- without its collection, so that a home can tell which names went away.
CREATE TABLE binding (
    id BIGINT NOT NULL PRIMARY KEY,
    principal_id BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    collection_id BIGINT REFERENCES collection (id) ON DELETE SET NULL,
    access TEXT NOT NULL,
    status TEXT NOT NULL,
    via_group_id BIGINT REFERENCES principal (id) ON DELETE CASCADE,
    created BIGINT NOT NULL,
    removed BOOLEAN NOT NULL
);

CREATE UNIQUE INDEX binding_name ON binding (principal_id, name) WHERE NOT removed;

CREATE INDEX binding_collection ON binding (collection_id);

-- Values as XML.  binding_id is 0 where the value counts for everybody;
-- object_name is '' for the collection itself.
CREATE TABLE property (
    collection_id BIGINT NOT NULL REFERENCES collection (id) ON DELETE CASCADE,
    binding_id BIGINT NOT NULL,
    object_name TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (collection_id, binding_id, object_name, name)
);

CREATE TABLE principal_property (
    principal_id BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (principal_id, name)
);

-- One row per name, updated in place.  A removed one keeps name and modseq only.
-- content comes last: rows that are read for their facts do not touch its pages.
CREATE TABLE object (
    collection_id BIGINT NOT NULL REFERENCES collection (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    uid TEXT NOT NULL,
    component TEXT NOT NULL,
    etag TEXT NOT NULL,
    size BIGINT NOT NULL,
    modseq BIGINT NOT NULL,
    created_modseq BIGINT NOT NULL,
    removed BOOLEAN NOT NULL,
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

CREATE UNIQUE INDEX object_uid ON object (collection_id, uid) WHERE NOT removed;

-- Covers the two questions that are asked most: what changed, and every ETag.
CREATE UNIQUE INDEX object_modseq ON object (collection_id, modseq, removed, name, etag);

CREATE INDEX object_last ON object (collection_id, last_instant, first_instant);

-- Work that a change causes, written in the transaction of the change.
CREATE TABLE outbox (
    id BIGINT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    payload TEXT NOT NULL,
    created BIGINT NOT NULL,
    due BIGINT NOT NULL,
    attempts INTEGER NOT NULL
);

CREATE INDEX outbox_due ON outbox (due);
