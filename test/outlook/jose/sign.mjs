// Signs tokens with the library jose, and says what it thinks of others. Standard input: JSON with keys (PEM of private keys by name), tokens (each with what is to be done) and
// verify (tokens by name, with a key set). Standard output: JSON with the tokens, and the claims of those that were verified.

import { createPrivateKey, createPublicKey } from "node:crypto";
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";

const { resolve } = createRequire(`${process.env.NODE_MODULES}/`);
const jose = await import(pathToFileURL(resolve("jose")));

const given = JSON.parse(await text(process.stdin));
const encode = (v) => new TextEncoder().encode(v);
const privateKey = (name) => createPrivateKey(given.keys[name]);
const publicKey = (name) => createPublicKey(given.keys[name]);

/** The ways to make a token. c: header, claims, key, and what else a way needs. */
const ways = {
  sign: (c) => new jose.SignJWT(c.claims).setProtectedHeader(c.header).sign(privateKey(c.key)),
  /** A signature by the bytes of the public key, for those that take any algorithm that a token names. */
  secret: (c) => new jose.SignJWT(c.claims).setProtectedHeader(c.header).sign(encode(publicKey(c.key).export({ type: "spki", format: "pem" }))),
  none: async (c) => new jose.UnsecuredJWT(c.claims).encode(),
  /** The key that signed stands in the header. */
  own: async (c) => new jose.SignJWT(c.claims).setProtectedHeader({ ...c.header, jwk: await jose.exportJWK(publicKey(c.key)) }).sign(privateKey(c.key)),
  critical: (c) => new jose.CompactSign(encode(JSON.stringify(c.claims))).setProtectedHeader({ ...c.header, crit: ["b64"], b64: true }).sign(privateKey(c.key)),
  encrypted: (c) => new jose.EncryptJWT(c.claims).setProtectedHeader({ ...c.header, alg: "RSA-OAEP-256", enc: "A256GCM" }).encrypt(publicKey(c.key)),
  flattened: async (c) => JSON.stringify(await new jose.FlattenedSign(encode(JSON.stringify(c.claims))).setProtectedHeader(c.header).sign(privateKey(c.key))),
};

const tokens = {};
for (const [name, c] of Object.entries(given.tokens)) tokens[name] = await ways[c.way || "sign"](c);

const verified = {};
const keys = jose.createLocalJWKSet(given.set);
for (const [name, token] of Object.entries(given.verify)) verified[name] = (await jose.jwtVerify(token, keys)).payload;

process.stdout.write(JSON.stringify({ tokens, verified }));
