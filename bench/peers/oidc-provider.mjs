// oidc-provider as a peer of the token benchmark: one client, ES256 access tokens, everything in
// memory (its own adapter), TLS by Node. Settings come as JSON in PEER; says {"ready": …}.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { pathToFileURL } from 'node:url';

const settings = JSON.parse(process.env.PEER);
// Packages live with the tests of other people's clients.
const { default: Provider } = await import(pathToFileURL(settings.package));

const jwk = (name) => JSON.parse(readFileSync(settings[name], 'utf8'));

const provider = new Provider(settings.issuer, {
  clients: [
    {
      client_id: settings.clientId,
      client_secret: settings.clientSecret,
      token_endpoint_auth_method: 'client_secret_basic',
      grant_types: ['client_credentials'],
      response_types: [],
      redirect_uris: [],
    },
  ],
  jwks: { keys: [jwk('es256'), jwk('rs256')] },
  scopes: ['telemetry:read'],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_context, resource) => ({
        scope: 'telemetry:read',
        audience: resource,
        accessTokenTTL: 3600,
        // Its JWTs are signed and not stored; only an opaque token can be introspected.
        accessTokenFormat: resource === settings.opaqueResource ? 'opaque' : 'jwt',
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
});

const tls = { cert: readFileSync(settings.certificate), key: readFileSync(settings.key) };
createServer(tls, provider.callback()).listen(settings.port, '127.0.0.1', () => {
  console.log(JSON.stringify({ ready: true, issuer: settings.issuer }));
});
