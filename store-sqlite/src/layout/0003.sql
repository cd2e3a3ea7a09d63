-- Layout 3. The secret of the tenant, sealed.

CREATE TABLE tenant_secret (
    id TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL DEFAULT 1,
    epoch INTEGER NOT NULL DEFAULT 0,
    end_epoch INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL
) STRICT;
