import type { FastifyInstance } from 'fastify'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { AccessError } from '../access/access-error.ts'
import type { Authenticator } from '../access/authenticators.ts'
import { CERTIFICATE_FILE, type CertificateEntry } from '../access/certificates/certificate-file.ts'
import { certificateNames } from '../access/certificates/names.ts'
import { CallerRing } from '../access/entries/caller-ring.ts'
import type { Config } from '../config.ts'
import { followCallerFile } from './caller-file.ts'

/** Callers with client certificates. The file that says what they may do is read again when it changes. */
export function certificateAuthenticator (
  app: FastifyInstance,
  { clientCertificates: file, apiKeys: { reloadSeconds }, rabbitmq }: Config
): Authenticator<readonly string[]> {
  const { virtualHost } = rabbitmq.stream
  const ring = new CallerRing<CertificateEntry>({ scheme: 'mtls', virtualHost, matchOf: ({ subject }) => subject })
  ring.replaceBy(file?.value ?? [])
  followCallerFile(app, {
    setting: 'CLIENT_CERTIFICATES_PATH',
    file,
    everySeconds: reloadSeconds,
    parse: (text) => CERTIFICATE_FILE.parse(text),
    callers: ring,
    event: (certificates) => ({ event: 'certificates.reloaded', certificates })
  })
  return (names) => {
    const found = names.map((name) => ring.find(name)).find((caller) => caller !== 'unknown') ?? 'unknown'
    if (typeof found !== 'string') return found
    const message = 'the client certificate is valid, but the gateway does not let it in'
    throw new AccessError('access_refused', message, { reason: `certificate ${found}` })
  }
}

interface Shown { readonly names: readonly string[], readonly validToMs: number }

// Computed once for each connection.
const shown = new WeakMap<TLSSocket, Shown | null>()

/** The names in the certificate of a connection; undefined without one that is valid now. */
export function certificateOf (socket: Socket): readonly string[] | undefined {
  if (!(socket instanceof TLSSocket)) return undefined
  let certificate = shown.get(socket)
  if (certificate === undefined) {
    certificate = shownBy(socket)
    shown.set(socket, certificate)
  }
  return certificate !== null && Date.now() <= certificate.validToMs ? certificate.names : undefined
}

function shownBy (socket: TLSSocket): Shown | null {
  // Node.js also calls a resumed session without any certificate authorized.
  const certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined
  if (certificate === undefined) return null
  const { subjectAltName, validTo } = certificate
  const commonName: unknown = certificate.toLegacyObject().subject.CN
  return { names: certificateNames({ subjectAltName, commonName }), validToMs: Date.parse(validTo) }
}
