-- What those see of a collection's history from whom private things are hidden: the last change of
-- something that is not private, and when it was; and the last change of what is somebody's own.
ALTER TABLE collection ADD COLUMN open_modseq BIGINT NOT NULL DEFAULT 0;
ALTER TABLE collection ADD COLUMN open_modified BIGINT NOT NULL DEFAULT 0;
ALTER TABLE collection ADD COLUMN own_modseq BIGINT NOT NULL DEFAULT 0;
UPDATE collection SET open_modseq = shared_modseq, open_modified = modified, own_modseq = modseq;
