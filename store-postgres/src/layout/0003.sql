-- Layout 3. The secret of the tenant, sealed.

CREATE TABLE "tenant_secret" (
    id text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL DEFAULT 1,
    epoch bigint NOT NULL DEFAULT 0,
    end_epoch bigint NOT NULL DEFAULT 0,
    body jsonb NOT NULL
);
