-- From where somebody logged in: there the wrong passwords that came for other names do not count
-- against them.  The account is hashed as in login_failure.
CREATE TABLE login_place (
    address TEXT NOT NULL,
    account TEXT NOT NULL,
    seen BIGINT NOT NULL,
    PRIMARY KEY (address, account)
);

CREATE INDEX login_place_seen ON login_place (seen);
