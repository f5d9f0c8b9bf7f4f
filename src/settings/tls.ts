import { readTlsFiles, TlsFileError } from '../access/certificates/tls-files.ts'
import type { SettingReader } from './setting-reader.ts'

/** A file as it was at the start. */
interface File { readonly path: string, readonly content: string }

/** TLS of the HTTP server: its files, and whether clients show certificates. */
export interface TlsSettings {
  readonly cert: File
  readonly key: File
  readonly clientCa: File | undefined
  readonly clientAuth: 'none' | 'optional' | 'required'
}

/** TLS of the HTTP server; undefined without it. */
export function readTls (read: SettingReader): TlsSettings | undefined {
  const cert = read.reloadedFile(
    'HTTP_TLS_CERT_PATH',
    asItIs,
    'PEM file with the certificate of the HTTP server, then those of its authorities. With it the server speaks TLS ' +
    '1.2 and 1.3 only. This file and those of the next two settings are read again every 10 seconds and on SIGHUP'
  )
  const key = read.reloadedFile(
    'HTTP_TLS_KEY_PATH',
    asItIs,
    'PEM file with the key of the certificate, without a passphrase'
  )
  const clientCa = read.reloadedFile(
    'HTTP_TLS_CLIENT_CA_PATH',
    asItIs,
    'PEM file with the certificates of the authorities that issue certificates to clients. It may also have their ' +
    'revocation lists: then it needs a valid one of each authority'
  )
  const clientAuth = read.choice(
    'HTTP_TLS_CLIENT_AUTH',
    ['none', 'optional', 'required'],
    'none',
    'Whether clients are asked for a certificate, and whether connections without a valid one are closed. A ' +
    'certificate that is not valid counts as none with `optional`'
  )
  const hasCert = read.isSet('HTTP_TLS_CERT_PATH')
  if (hasCert !== read.isSet('HTTP_TLS_KEY_PATH')) {
    read.reject('HTTP_TLS_CERT_PATH', 'and HTTP_TLS_KEY_PATH go together')
  }
  if (clientAuth !== 'none' && !hasCert) read.reject('HTTP_TLS_CLIENT_AUTH', 'needs HTTP_TLS_CERT_PATH')
  if ((clientAuth === 'none') === read.isSet('HTTP_TLS_CLIENT_CA_PATH')) {
    read.reject('HTTP_TLS_CLIENT_AUTH', 'optional or required, and HTTP_TLS_CLIENT_CA_PATH go together')
  }
  if (cert === undefined || key === undefined) return undefined
  try {
    readTlsFiles(cert.content, key.content, clientCa?.content)
  } catch (error) {
    if (!(error instanceof TlsFileError)) throw error
    read.reject(error.setting, error.fault)
  }
  return { cert, key, clientCa, clientAuth }
}

// The three files are checked together.
function asItIs (content: string): string {
  return content
}
