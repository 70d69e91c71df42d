-- Schema 5.  What was there before: earlier versions of objects, and collections that were deleted.

-- An object as it was from `began` until `ended` (seconds since 1970).  modseq is that of the change
-- that ended it; how: replaced, removed, or moved to another collection of its owner's; by_id: the
-- principal who did it, 0 for the command line and for those who are gone.
CREATE TABLE version (
    collection_id BIGINT NOT NULL REFERENCES collection (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    modseq BIGINT NOT NULL,
    uid TEXT NOT NULL,
    component TEXT NOT NULL,
    etag TEXT NOT NULL,
    size BIGINT NOT NULL,
    began BIGINT NOT NULL,
    ended BIGINT NOT NULL,
    how TEXT NOT NULL,
    by_id BIGINT NOT NULL,
    content {blob},
    PRIMARY KEY (collection_id, name, modseq)
);

CREATE INDEX version_ended ON version (collection_id, ended);

-- The places of a collection that was deleted, as they were in `binding`.
CREATE TABLE removed_binding (
    collection_id BIGINT NOT NULL REFERENCES collection (id) ON DELETE CASCADE,
    principal_id BIGINT NOT NULL REFERENCES principal (id) ON DELETE CASCADE,
    id BIGINT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (collection_id, principal_id)
);

-- When it was deleted, 0 for one that is there, and by whom; kept: the bytes of earlier versions;
-- known_from: since when (seconds since 1970) it is known what it held at any time, 0 for always.
ALTER TABLE collection ADD COLUMN removed BIGINT NOT NULL DEFAULT 0;

ALTER TABLE collection ADD COLUMN removed_by BIGINT NOT NULL DEFAULT 0;

ALTER TABLE collection ADD COLUMN kept BIGINT NOT NULL DEFAULT 0;

ALTER TABLE collection ADD COLUMN known_from BIGINT NOT NULL DEFAULT 0;

UPDATE collection SET known_from = modified + 1;
