// The same life and the same search with PostgreSQL as the store: what it holds, as it would be copied
// away (pg_dump), and its own log.

process.env.KEYFOB_STORE = 'postgres';
await import('./secrets.test.mjs');
