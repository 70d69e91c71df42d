-- Schema 3.  The outbox with what its workers need; it was empty before.
-- principal_id is whose data caused the job, 0 for the server's own; key makes
-- a job that is written twice one job, for as long as its row is there.

DROP TABLE outbox;

CREATE TABLE outbox (
    principal_id BIGINT NOT NULL,
    id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    payload TEXT NOT NULL,
    state TEXT NOT NULL,
    created BIGINT NOT NULL,
    due BIGINT NOT NULL,
    attempts INTEGER NOT NULL,
    error TEXT NOT NULL,
    PRIMARY KEY (principal_id, id)
);

CREATE UNIQUE INDEX outbox_key ON outbox (principal_id, kind, key);

CREATE INDEX outbox_due ON outbox (due) WHERE state = 'waiting';
