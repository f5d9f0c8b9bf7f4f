import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { createSecureContext, type SecureContextOptions } from 'node:tls'

/** What the files of the HTTP server's TLS hold. */
export interface TlsFiles {
  /** For the server. */
  readonly context: SecureContextOptions
  /** When the certificate ends. */
  readonly validTo: Date
}

/** Files that cannot be used. The message names the setting and shows nothing of the contents. */
export class TlsFileError extends Error {
  readonly setting: string
  readonly fault: string

  constructor (setting: string, fault: string) {
    super(`${setting} ${fault}`)
    this.setting = setting
    this.fault = fault
  }
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[^-]*-----END \1-----/g

/**
 * Checks certificate, key and authorities before the server gets any of them.
 *
 * @param clientCa undefined when clients show no certificates
 * @throws TlsFileError
 */
export function readTlsFiles (cert: string, key: string, clientCa: string | undefined): TlsFiles {
  const certificate = certificateOf(cert)
  if (!certificate.checkPrivateKey(keyOf(key))) {
    throw new TlsFileError('HTTP_TLS_KEY_PATH', 'is not the key of the first certificate in HTTP_TLS_CERT_PATH')
  }
  const context = { cert, key, ...(clientCa !== undefined && authorities(clientCa)), minVersion: 'TLSv1.2' as const }
  try {
    createSecureContext(context)
  } catch (error) {
    // An error of OpenSSL names no contents.
    const reason = error instanceof Error && 'reason' in error ? ` (${String(error.reason)})` : ''
    throw new TlsFileError('HTTP_TLS_CERT_PATH', `and HTTP_TLS_KEY_PATH cannot be used${reason}`)
  }
  return { context, validTo: new Date(certificate.validTo) }
}

function certificateOf (text: string): X509Certificate {
  const [first] = parsed(blocksOf(text).certificates, 'HTTP_TLS_CERT_PATH')
  return first
}

function keyOf (text: string): KeyObject {
  try {
    return createPrivateKey(text)
  } catch {
    throw new TlsFileError('HTTP_TLS_KEY_PATH', 'does not hold a private key in PEM without a passphrase')
  }
}

// OpenSSL would silently leave out what it cannot read, and take the system's authorities when nothing is left.
function authorities (text: string): { ca: string[], crl?: string[] } {
  const { certificates, revocations } = blocksOf(text)
  parsed(certificates, 'HTTP_TLS_CLIENT_CA_PATH')
  return { ca: certificates, ...(revocations.length > 0 && { crl: revocations }) }
}

function parsed (blocks: readonly string[], setting: string): [X509Certificate, ...X509Certificate[]] {
  try {
    const [first, ...others] = blocks.map((block) => new X509Certificate(block))
    if (first !== undefined) return [first, ...others]
  } catch {
    // The same fault.
  }
  throw new TlsFileError(setting, 'does not hold a certificate in PEM')
}

function blocksOf (text: string): { certificates: string[], revocations: string[] } {
  const blocks = [...text.matchAll(BLOCK)]
  const withLabel = (label: string): string[] => blocks.filter((block) => block[1] === label).map(([block]) => block)
  return { certificates: withLabel('CERTIFICATE'), revocations: withLabel('X509 CRL') }
}
