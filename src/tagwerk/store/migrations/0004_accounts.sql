-- By which client a credential was used last, beside when and from where.
ALTER TABLE credential ADD COLUMN last_used_by TEXT;

-- Wrong passwords.  The account is a hash of what was typed as a name, which is at times
-- a password; '' counts every name.
CREATE TABLE login_failure (
    address TEXT NOT NULL,
    account TEXT NOT NULL,
    failures INTEGER NOT NULL,
    since BIGINT NOT NULL,
    PRIMARY KEY (address, account)
);

CREATE INDEX login_failure_since ON login_failure (since);

-- Second factors (RFC 6238).  last_step is the last time step that was accepted.
CREATE TABLE totp (
    principal_id BIGINT NOT NULL PRIMARY KEY REFERENCES principal (id) ON DELETE CASCADE,
    secret TEXT NOT NULL,
    confirmed BOOLEAN NOT NULL,
    last_step BIGINT NOT NULL,
    created BIGINT NOT NULL
);
