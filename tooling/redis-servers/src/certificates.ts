/**
 * A certificate authority that lives as long as a test, and a certificate of it for servers on this machine. Node can
 * read certificates and not make them, so the few structures of X.509 that are needed are written here as DER.
 * See RFC 5280, sections 4.1 and 4.2, and ITU-T X.690 for the encoding.
 */

import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

export interface Certificates {
  /** The authority's certificate, which clients and servers trust. This and all others are PEM. */
  readonly ca: string;
  /** The server's, for `127.0.0.1` and `localhost`, valid for ten years. */
  readonly certificate: string;
  readonly key: string;
}

const YEARS = 10;

/** Object identifiers, as encoded. */
const ID = {
  ecdsaWithSha256: "2a8648ce3d040302",
  commonName: "550403",
  subjectAltName: "551d11",
  basicConstraints: "551d13",
  keyUsage: "551d0f",
};

/** DER's tags of the types that are used. */
const TAG = { boolean: 1, integer: 2, bits: 3, bytes: 4, id: 6, text: 12, time: 24, sequence: 48, set: 49 };

export function makeCertificates(): Certificates {
  const authority = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const server = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const isAuthority = extension(ID.basicConstraints, sequence(boolean(true)), true);
  // Bits 5 and 6: signs certificates and lists of revoked ones.
  const mayCertify = extension(ID.keyUsage, der(TAG.bits, Buffer.from([1, 0b0000_0110])), true);
  const localhost = der(0x82, Buffer.from("localhost"));
  const loopback = der(0x87, Buffer.from([127, 0, 0, 1]));
  const names = extension(ID.subjectAltName, sequence(localhost, loopback), false);
  const issuer = "LeakDB test authority";
  return {
    ca: certificate(issuer, issuer, authority.publicKey, authority.privateKey, [isAuthority, mayCertify]),
    certificate: certificate(issuer, "localhost", server.publicKey, authority.privateKey, [names]),
    key: server.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

function certificate(
  issuer: string,
  subject: string,
  subjectKey: KeyObject,
  issuerKey: KeyObject,
  extensions: readonly Buffer[],
): string {
  const algorithm = sequence(der(TAG.id, Buffer.from(ID.ecdsaWithSha256, "hex")));
  // A leading 1 keeps the number positive and of full length.
  const serial = Buffer.concat([Buffer.from([1]), randomBytes(15)]);
  const signed = sequence(
    der(0xa0, der(TAG.integer, Buffer.from([2]))),
    der(TAG.integer, serial),
    algorithm,
    named(issuer),
    // An hour ago, for clocks that were set back since.
    sequence(time(new Date(Date.now() - 3_600_000)), time(yearsFromNow(YEARS))),
    named(subject),
    subjectKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(...extensions)),
  );
  const signature = sign("sha256", signed, issuerKey);
  const whole = sequence(signed, algorithm, der(TAG.bits, Buffer.concat([Buffer.from([0]), signature])));
  const lines = whole.toString("base64").match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

function named(commonName: string): Buffer {
  const name = sequence(
    der(TAG.id, Buffer.from(ID.commonName, "hex")),
    der(TAG.text, Buffer.from(commonName)),
  );
  return sequence(der(TAG.set, name));
}

function extension(id: string, value: Buffer, isCritical: boolean): Buffer {
  const critical = isCritical ? [boolean(true)] : [];
  return sequence(der(TAG.id, Buffer.from(id, "hex")), ...critical, der(TAG.bytes, value));
}

/** GeneralizedTime: `20361122000000Z`. */
function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/\.\d+|[-:T]/g, "");
  return der(TAG.time, Buffer.from(digits));
}

function yearsFromNow(years: number): Date {
  const date = new Date();
  date.setUTCFullYear(date.getUTCFullYear() + years);
  return date;
}

function boolean(value: boolean): Buffer {
  return der(TAG.boolean, Buffer.from([value ? 0xff : 0]));
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(TAG.sequence, Buffer.concat(parts));
}

/** Tag, length, content. A length from 128 on stands in bytes of its own, after their count. */
function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content]);
  const bytes = Buffer.from(length.toString(16).padStart(length < 0x100 ? 2 : 4, "0"), "hex");
  return Buffer.concat([Buffer.from([tag, 0x80 | bytes.length]), bytes, content]);
}
