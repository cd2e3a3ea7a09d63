-- Layout 2. What there are millions of is kept in few bytes: ids and digests as
-- bytes, members that are looked up in columns of their own instead of in the
-- body as well, the rest packed, types of events and beginnings of their ids once.
-- Rows are carried over by the program, which then makes the indexes.

CREATE TABLE word (
    number INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
) STRICT;

ALTER TABLE event RENAME TO event_1;
DROP INDEX event_kind;
DROP INDEX event_subject;
DROP INDEX event_raises;
CREATE TABLE event (
    number INTEGER PRIMARY KEY,
    era INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    subject ANY NOT NULL,
    time INTEGER NOT NULL,
    raises INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT;

ALTER TABLE device RENAME TO device_1;
DROP INDEX device_serial;
DROP INDEX device_mac;
DROP INDEX device_external_id;
CREATE TABLE device (
    id ANY NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body BLOB NOT NULL,
    product ANY,
    serial TEXT,
    mac TEXT,
    external_id TEXT
) STRICT;

ALTER TABLE credential RENAME TO credential_1;
DROP INDEX credential_device;
DROP INDEX credential_key;
DROP INDEX credential_thumbprint;
DROP INDEX credential_serial;
CREATE TABLE credential (
    id ANY NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body BLOB NOT NULL,
    device ANY,
    key_thumbprint ANY,
    certificate_thumbprint ANY,
    certificate_serial ANY,
    certificate_issuer ANY
) STRICT;
