-- Layout 1. One table per kind of record: `body` is the record as JSON without
-- its id; what is looked up stands in indexes over expressions of it. Text that
-- is put in order compares by its octets ("C"), whatever the database's own
-- rules are.

CREATE TABLE head (
    one smallint PRIMARY KEY CHECK (one = 1),
    generation text NOT NULL,
    number bigint NOT NULL,
    horizon bigint NOT NULL,
    time bigint NOT NULL
);

-- Committed, without a number yet. `place` grows along everything that depends
-- on one another: whoever saw a commit drew its own place after it.
CREATE SEQUENCE place;
CREATE TABLE fresh (
    place bigint PRIMARY KEY DEFAULT nextval('place'),
    id text NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    at bigint NOT NULL,
    raises boolean NOT NULL,
    data text NOT NULL
);

CREATE TABLE event (
    number bigint PRIMARY KEY,
    id text NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    time bigint NOT NULL,
    raises boolean NOT NULL,
    data text NOT NULL
);
CREATE INDEX event_kind ON event (kind, number);
CREATE INDEX event_subject ON event (subject, number);
CREATE INDEX event_raises ON event (number) WHERE raises;

-- The newest raise of each anchor; `event` told it, and brings its number.
CREATE TABLE raised (
    kind text NOT NULL,
    id text COLLATE "C" NOT NULL,
    epoch bigint NOT NULL,
    end_epoch bigint NOT NULL,
    event text NOT NULL,
    number bigint,
    at bigint NOT NULL,
    token_expires bigint,
    PRIMARY KEY (kind, id)
);
CREATE INDEX raised_event ON raised (event) WHERE number IS NULL;
CREATE INDEX raised_at ON raised (at);

CREATE TABLE once (key text COLLATE "C" PRIMARY KEY, until bigint NOT NULL);
CREATE INDEX once_until ON once (until);

CREATE TABLE idempotent (key text COLLATE "C" PRIMARY KEY, until bigint NOT NULL, reply text NOT NULL);
CREATE INDEX idempotent_until ON idempotent (until);

CREATE TABLE "product" (
    id text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL DEFAULT 1,
    epoch bigint NOT NULL DEFAULT 0,
    end_epoch bigint NOT NULL DEFAULT 0,
    body jsonb NOT NULL
);
CREATE UNIQUE INDEX product_model ON "product" ((body ->> 'model'));

CREATE TABLE "trust_anchor" (
    id text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL DEFAULT 1,
    epoch bigint NOT NULL DEFAULT 0,
    end_epoch bigint NOT NULL DEFAULT 0,
    body jsonb NOT NULL
);
CREATE UNIQUE INDEX trust_anchor_product ON "trust_anchor" ((body ->> 'product'), (body ->> 'thumbprint'));

CREATE TABLE "device" (
    id text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL DEFAULT 1,
    epoch bigint NOT NULL DEFAULT 0,
    end_epoch bigint NOT NULL DEFAULT 0,
    body jsonb NOT NULL
);
CREATE UNIQUE INDEX device_serial ON "device" ((body ->> 'serial'), (body ->> 'product'))
    WHERE body ->> 'serial' IS NOT NULL;
CREATE UNIQUE INDEX device_mac ON "device" ((body ->> 'mac'))
    WHERE body ->> 'mac' IS NOT NULL;
CREATE UNIQUE INDEX device_external_id ON "device" ((body ->> 'external_id'))
    WHERE body ->> 'external_id' IS NOT NULL;

CREATE TABLE "credential" (
    id text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL DEFAULT 1,
    epoch bigint NOT NULL DEFAULT 0,
    end_epoch bigint NOT NULL DEFAULT 0,
    body jsonb NOT NULL
);
CREATE INDEX credential_device ON "credential" ((body ->> 'device'));
CREATE UNIQUE INDEX credential_key ON "credential" ((body ->> 'key_thumbprint'));
CREATE UNIQUE INDEX credential_thumbprint ON "credential" ((body #>> '{certificate,thumbprint}'))
    WHERE body #>> '{certificate,thumbprint}' IS NOT NULL;
CREATE UNIQUE INDEX credential_serial ON "credential" ((body #>> '{certificate,serial}'), (body #>> '{certificate,issuer}'))
    WHERE body #>> '{certificate,serial}' IS NOT NULL;

CREATE TABLE "account" (
    id text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL DEFAULT 1,
    epoch bigint NOT NULL DEFAULT 0,
    end_epoch bigint NOT NULL DEFAULT 0,
    body jsonb NOT NULL
);
CREATE UNIQUE INDEX account_external_id ON "account" ((body ->> 'external_id'))
    WHERE body ->> 'external_id' IS NOT NULL;

CREATE TABLE "user" (
    id text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL DEFAULT 1,
    epoch bigint NOT NULL DEFAULT 0,
    end_epoch bigint NOT NULL DEFAULT 0,
    body jsonb NOT NULL
);
CREATE UNIQUE INDEX user_email ON "user" ((body ->> 'email'));
CREATE INDEX user_staff ON "user" (id)
    WHERE jsonb_array_length(coalesce(body -> 'roles', '[]')) > 0;

CREATE TABLE "passkey" (
    id text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL DEFAULT 1,
    epoch bigint NOT NULL DEFAULT 0,
    end_epoch bigint NOT NULL DEFAULT 0,
    body jsonb NOT NULL
);
CREATE INDEX passkey_user ON "passkey" ((body ->> 'user'));
CREATE UNIQUE INDEX passkey_credential_id ON "passkey" ((body ->> 'credential_id'));

CREATE TABLE "asset" (
    id text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL DEFAULT 1,
    epoch bigint NOT NULL DEFAULT 0,
    end_epoch bigint NOT NULL DEFAULT 0,
    body jsonb NOT NULL
);
CREATE UNIQUE INDEX asset_open ON "asset" ((body ->> 'device'))
    WHERE body ->> 'closed_at' IS NULL;
CREATE INDEX asset_account ON "asset" ((body ->> 'account'))
    WHERE body ->> 'closed_at' IS NULL;

CREATE TABLE "bond" (
    id text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL DEFAULT 1,
    epoch bigint NOT NULL DEFAULT 0,
    end_epoch bigint NOT NULL DEFAULT 0,
    body jsonb NOT NULL
);
CREATE INDEX bond_holder ON "bond" ((body #>> '{holder,id}'))
    WHERE body ->> 'state' <> 'ended';
CREATE INDEX bond_target ON "bond" ((body #>> '{target,id}'))
    WHERE body ->> 'state' <> 'ended';

CREATE TABLE "browser_session" (
    id text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL DEFAULT 1,
    epoch bigint NOT NULL DEFAULT 0,
    end_epoch bigint NOT NULL DEFAULT 0,
    body jsonb NOT NULL
);
CREATE UNIQUE INDEX browser_session_secret ON "browser_session" ((body ->> 'secret'));
CREATE INDEX browser_session_user ON "browser_session" ((body ->> 'user'));
CREATE INDEX browser_session_expires ON "browser_session" (((body ->> 'expires_at')::bigint), id);

CREATE TABLE "device_session" (
    id text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL DEFAULT 1,
    epoch bigint NOT NULL DEFAULT 0,
    end_epoch bigint NOT NULL DEFAULT 0,
    body jsonb NOT NULL
);
CREATE INDEX device_session_device ON "device_session" ((body ->> 'device'));
CREATE INDEX device_session_credential ON "device_session" ((body ->> 'credential'));
CREATE INDEX device_session_expires ON "device_session" (((body ->> 'expires_at')::bigint));

CREATE TABLE "mail_token" (
    id text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL DEFAULT 1,
    epoch bigint NOT NULL DEFAULT 0,
    end_epoch bigint NOT NULL DEFAULT 0,
    body jsonb NOT NULL
);
CREATE INDEX mail_token_expires ON "mail_token" (((body ->> 'expires_at')::bigint));

CREATE TABLE "import" (
    id text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL DEFAULT 1,
    epoch bigint NOT NULL DEFAULT 0,
    end_epoch bigint NOT NULL DEFAULT 0,
    body jsonb NOT NULL
);

CREATE TABLE "client" (
    id text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL DEFAULT 1,
    epoch bigint NOT NULL DEFAULT 0,
    end_epoch bigint NOT NULL DEFAULT 0,
    body jsonb NOT NULL
);

CREATE TABLE "consent" (
    id text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL DEFAULT 1,
    epoch bigint NOT NULL DEFAULT 0,
    end_epoch bigint NOT NULL DEFAULT 0,
    body jsonb NOT NULL
);
CREATE UNIQUE INDEX consent_live ON "consent" ((body ->> 'user'), (body ->> 'client'))
    WHERE body ->> 'withdrawn_at' IS NULL;

CREATE TABLE "authorization_code" (
    id text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL DEFAULT 1,
    epoch bigint NOT NULL DEFAULT 0,
    end_epoch bigint NOT NULL DEFAULT 0,
    body jsonb NOT NULL
);
CREATE INDEX authorization_code_unused ON "authorization_code" (((body ->> 'expires_at')::bigint))
    WHERE body ->> 'used_at' IS NULL;
CREATE INDEX authorization_code_family ON "authorization_code" ((body ->> 'family'))
    WHERE body ->> 'used_at' IS NOT NULL;

CREATE TABLE "token_family" (
    id text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL DEFAULT 1,
    epoch bigint NOT NULL DEFAULT 0,
    end_epoch bigint NOT NULL DEFAULT 0,
    body jsonb NOT NULL
);
CREATE INDEX token_family_user ON "token_family" ((body ->> 'user'))
    WHERE body ->> 'user' IS NOT NULL;
CREATE INDEX token_family_session ON "token_family" ((body ->> 'session'))
    WHERE body ->> 'session' IS NOT NULL;
CREATE INDEX token_family_asset ON "token_family" ((body ->> 'asset'))
    WHERE body ->> 'asset' IS NOT NULL;
CREATE INDEX token_family_expires ON "token_family" (((body ->> 'expires_at')::bigint));

CREATE TABLE "pairing" (
    id text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL DEFAULT 1,
    epoch bigint NOT NULL DEFAULT 0,
    end_epoch bigint NOT NULL DEFAULT 0,
    body jsonb NOT NULL
);
CREATE INDEX pairing_user_code ON "pairing" ((body ->> 'user_code'));
CREATE INDEX pairing_expires ON "pairing" (((body ->> 'expires_at')::bigint));

CREATE TABLE "signing_key" (
    id text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL DEFAULT 1,
    epoch bigint NOT NULL DEFAULT 0,
    end_epoch bigint NOT NULL DEFAULT 0,
    body jsonb NOT NULL
);
