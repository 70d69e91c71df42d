-- The audit by whose things it is about, as the key of every other table that is somebody's.
CREATE TABLE audit_2 (
    owner TEXT NOT NULL,
    id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    collection TEXT NOT NULL,
    grantee TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (owner, id)
);

INSERT INTO audit_2 (owner, id, at, actor, action, collection, grantee, detail)
    SELECT owner, id, at, actor, action, collection, grantee, detail FROM audit;

DROP TABLE audit;

ALTER TABLE audit_2 RENAME TO audit;

CREATE INDEX audit_at ON audit (at);
