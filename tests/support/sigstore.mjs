// A Sigstore of this machine: a certificate authority and its log, and a transparency log, with keys of
// their own. Prints one line of JSON, the trust config for a client, then serves until it is ended.
import { createHash, generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';

// The package has no ES module. It lies where scripts/node-tools has put it.
const require = createRequire(`${process.argv[2]}/node_modules/`);
const { fulcioHandler, initializeCA, initializeCTLog, initializeTLog, rekorHandler } = require('@sigstore/mock');

const newKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });
const sha256 = (data) => createHash('sha256').update(data).digest();
const ctLog = await initializeCTLog(newKey());
const authority = await initializeCA(newKey(), ctLog);

// Rekor keeps the hashes of an envelope where the proposal holds the envelope.
function canonical(entry) {
  const { envelope, verifiers } = entry.spec.proposedContent;
  const { payload, signatures } = JSON.parse(envelope);
  const hash = (data) => ({ algorithm: 'sha256', value: sha256(data).toString('hex') });
  return {
    apiVersion: entry.apiVersion,
    kind: entry.kind,
    spec: {
      envelopeHash: hash(envelope),
      payloadHash: hash(Buffer.from(payload, 'base64')),
      signatures: signatures.map(({ sig }, at) => ({ signature: sig, verifier: verifiers[at] })),
    },
  };
}

// The mock looks for the token in the body, where the client sends it in a header.
function withToken({ certificateSigningRequest }, authorization) {
  return {
    credentials: { oidcIdentityToken: authorization.replace('Bearer ', '') },
    certificateSigningRequest: Buffer.from(certificateSigningRequest, 'base64').toString(),
  };
}

const handlers = [fulcioHandler(authority)];
const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const handler = handlers.find(({ path }) => request.url.startsWith(path));
  if (!handler) return response.writeHead(404).end();
  let body = Buffer.concat(chunks).toString();
  if (request.url.includes('/log/entries')) body = JSON.stringify(canonical(JSON.parse(body)));
  else body = JSON.stringify(withToken(JSON.parse(body), request.headers.authorization));
  const answer = await handler.fn(body);
  if (answer.statusCode >= 400) console.error(answer.response);
  response.writeHead(answer.statusCode, { 'Content-Type': answer.contentType ?? 'text/plain' });
  response.end(answer.response);
});

server.listen(0, '127.0.0.1', async () => {
  const url = `http://127.0.0.1:${server.address().port}`;
  const log = await initializeTLog(url, newKey());
  handlers.push(rekorHandler(log));
  const validFor = { start: new Date(Date.now() - 60_000).toISOString() };
  const service = { url, majorApiVersion: 1, validFor, operator: 'tests' };
  const key = (publicKey) => ({
    baseUrl: url,
    hashAlgorithm: 'SHA2_256',
    logId: { keyId: sha256(publicKey).toString('base64') },
    publicKey: {
      rawBytes: Buffer.from(publicKey).toString('base64'),
      keyDetails: 'PKIX_ECDSA_P256_SHA_256',
      validFor,
    },
  });
  const trusted = {
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    tlogs: [key(log.publicKey)],
    certificateAuthorities: [
      {
        subject: { organization: 'sigstore.mock', commonName: 'sigstore' },
        uri: url,
        certChain: { certificates: [{ rawBytes: authority.rootCertificate.toString('base64') }] },
        validFor,
      },
    ],
    ctlogs: [key(ctLog.publicKey)],
    timestampAuthorities: [],
  };
  console.log(
    JSON.stringify({
      mediaType: 'application/vnd.dev.sigstore.clienttrustconfig.v0.1+json',
      trustedRoot: trusted,
      signingConfig: {
        mediaType: 'application/vnd.dev.sigstore.signingconfig.v0.2+json',
        caUrls: [service],
        oidcUrls: [service],
        rekorTlogUrls: [service],
        rekorTlogConfig: { selector: 'ANY' },
        tsaUrls: [],
        tsaConfig: { selector: 'ANY' },
      },
    }),
  );
});
