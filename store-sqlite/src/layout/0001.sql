-- Layout 1. One table per kind of record: `body` is the record as JSON without
-- its id; what is looked up are virtual columns of it, kept in indexes alone.
-- Tables with several indexes keep a rowid, which is shorter in them than an id.

CREATE TABLE head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    generation TEXT NOT NULL,
    number INTEGER NOT NULL,
    horizon INTEGER NOT NULL,
    time INTEGER NOT NULL
) STRICT;

CREATE TABLE event (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    time INTEGER NOT NULL,
    raises INTEGER NOT NULL,
    data TEXT NOT NULL
) STRICT;
CREATE INDEX event_kind ON event (kind, number);
CREATE INDEX event_subject ON event (subject, number);
CREATE INDEX event_raises ON event (number) WHERE raises = 1;

-- The newest raise of each anchor; what it was before follows from it.
CREATE TABLE raised (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    end_epoch INTEGER NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    token_expires INTEGER,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX raised_at ON raised (at);

CREATE TABLE once (
    key TEXT NOT NULL PRIMARY KEY,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX once_until ON once (until);

CREATE TABLE idempotent (
    key TEXT NOT NULL PRIMARY KEY,
    until INTEGER NOT NULL,
    reply TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotent_until ON idempotent (until);

CREATE TABLE product (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    model TEXT AS (body ->> '$.model')
) STRICT;
CREATE UNIQUE INDEX product_model ON product (model);

CREATE TABLE trust_anchor (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    product TEXT AS (body ->> '$.product'),
    thumbprint TEXT AS (body ->> '$.thumbprint')
) STRICT;
CREATE UNIQUE INDEX trust_anchor_product ON trust_anchor (product, thumbprint);

CREATE TABLE device (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    product TEXT AS (body ->> '$.product'),
    serial TEXT AS (body ->> '$.serial'),
    mac TEXT AS (body ->> '$.mac'),
    external_id TEXT AS (body ->> '$.external_id')
) STRICT;
CREATE UNIQUE INDEX device_serial ON device (serial, product) WHERE serial IS NOT NULL;
CREATE UNIQUE INDEX device_mac ON device (mac) WHERE mac IS NOT NULL;
CREATE UNIQUE INDEX device_external_id ON device (external_id) WHERE external_id IS NOT NULL;

CREATE TABLE credential (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    device TEXT AS (body ->> '$.device'),
    key_thumbprint TEXT AS (body ->> '$.key_thumbprint'),
    certificate_thumbprint TEXT AS (body ->> '$.certificate.thumbprint'),
    certificate_serial TEXT AS (body ->> '$.certificate.serial'),
    certificate_issuer TEXT AS (body ->> '$.certificate.issuer')
) STRICT;
CREATE INDEX credential_device ON credential (device);
CREATE UNIQUE INDEX credential_key ON credential (key_thumbprint);
CREATE UNIQUE INDEX credential_thumbprint ON credential (certificate_thumbprint)
    WHERE certificate_thumbprint IS NOT NULL;
CREATE UNIQUE INDEX credential_serial ON credential (certificate_serial, certificate_issuer)
    WHERE certificate_serial IS NOT NULL;

CREATE TABLE account (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    external_id TEXT AS (body ->> '$.external_id')
) STRICT;
CREATE UNIQUE INDEX account_external_id ON account (external_id) WHERE external_id IS NOT NULL;

CREATE TABLE user (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    email TEXT AS (body ->> '$.email'),
    roles INTEGER AS (json_array_length(body, '$.roles'))
) STRICT;
CREATE UNIQUE INDEX user_email ON user (email);
CREATE INDEX user_roles ON user (roles) WHERE roles > 0;

CREATE TABLE passkey (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    user TEXT AS (body ->> '$.user'),
    credential_id TEXT AS (body ->> '$.credential_id')
) STRICT;
CREATE INDEX passkey_user ON passkey (user);
CREATE UNIQUE INDEX passkey_credential_id ON passkey (credential_id);

CREATE TABLE asset (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    device TEXT AS (body ->> '$.device'),
    account TEXT AS (body ->> '$.account'),
    closed_at INTEGER AS (body ->> '$.closed_at')
) STRICT;
CREATE UNIQUE INDEX asset_open ON asset (device) WHERE closed_at IS NULL;
CREATE INDEX asset_account ON asset (account) WHERE closed_at IS NULL;

CREATE TABLE bond (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    holder TEXT AS (body ->> '$.holder.id'),
    target TEXT AS (body ->> '$.target.id'),
    state TEXT AS (body ->> '$.state')
) STRICT;
CREATE INDEX bond_holder ON bond (holder) WHERE state <> 'ended';
CREATE INDEX bond_target ON bond (target) WHERE state <> 'ended';

CREATE TABLE browser_session (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    secret TEXT AS (body ->> '$.secret'),
    user TEXT AS (body ->> '$.user'),
    expires_at INTEGER AS (body ->> '$.expires_at')
) STRICT;
CREATE UNIQUE INDEX browser_session_secret ON browser_session (secret);
CREATE INDEX browser_session_user ON browser_session (user);
CREATE INDEX browser_session_expires ON browser_session (expires_at, id);

CREATE TABLE device_session (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    device TEXT AS (body ->> '$.device'),
    credential TEXT AS (body ->> '$.credential'),
    opened_at INTEGER AS (body ->> '$.opened_at'),
    expires_at INTEGER AS (body ->> '$.expires_at')
) STRICT;
CREATE INDEX device_session_device ON device_session (device, opened_at);
CREATE INDEX device_session_credential ON device_session (credential, opened_at);
CREATE INDEX device_session_expires ON device_session (expires_at);

CREATE TABLE mail_token (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    expires_at INTEGER AS (body ->> '$.expires_at')
) STRICT;
CREATE INDEX mail_token_expires ON mail_token (expires_at);

CREATE TABLE import (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE client (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE consent (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    user TEXT AS (body ->> '$.user'),
    client TEXT AS (body ->> '$.client'),
    withdrawn_at INTEGER AS (body ->> '$.withdrawn_at')
) STRICT;
CREATE UNIQUE INDEX consent_live ON consent (user, client) WHERE withdrawn_at IS NULL;

CREATE TABLE authorization_code (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    family TEXT AS (body ->> '$.family'),
    used_at INTEGER AS (body ->> '$.used_at'),
    expires_at INTEGER AS (body ->> '$.expires_at')
) STRICT;
CREATE INDEX authorization_code_unused ON authorization_code (expires_at) WHERE used_at IS NULL;
CREATE INDEX authorization_code_family ON authorization_code (family) WHERE used_at IS NOT NULL;

CREATE TABLE token_family (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    user TEXT AS (body ->> '$.user'),
    session TEXT AS (body ->> '$.session'),
    device TEXT AS (body ->> '$.device'),
    asset TEXT AS (body ->> '$.asset'),
    bond TEXT AS (body ->> '$.bond'),
    expires_at INTEGER AS (body ->> '$.expires_at')
) STRICT;
CREATE INDEX token_family_user ON token_family (user) WHERE user IS NOT NULL;
CREATE INDEX token_family_session ON token_family (session) WHERE session IS NOT NULL;
CREATE INDEX token_family_device ON token_family (device) WHERE device IS NOT NULL;
CREATE INDEX token_family_asset ON token_family (asset) WHERE asset IS NOT NULL;
CREATE INDEX token_family_bond ON token_family (bond) WHERE bond IS NOT NULL;
CREATE INDEX token_family_expires ON token_family (expires_at);

CREATE TABLE pairing (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL,
    user_code TEXT AS (body ->> '$.user_code'),
    state TEXT AS (body ->> '$.state.state'),
    created_at INTEGER AS (body ->> '$.created_at'),
    expires_at INTEGER AS (body ->> '$.expires_at')
) STRICT;
CREATE INDEX pairing_user_code ON pairing (user_code);
CREATE INDEX pairing_expires ON pairing (expires_at);

CREATE TABLE signing_key (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL
) STRICT;
