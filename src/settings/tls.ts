import type { SettingReader } from './setting-reader.ts'

/** TLS of the HTTP server: its files, and whether clients show certificates. */
export interface TlsSettings {
  readonly certPath: string
  readonly keyPath: string
  readonly clientCaPath: string | undefined
  readonly clientAuth: 'none' | 'optional' | 'required'
}

/** TLS of the HTTP server; undefined without it. */
export function readTls (read: SettingReader): TlsSettings | undefined {
  const certPath = read.path(
    'HTTP_TLS_CERT_PATH',
    'PEM file with the certificate of the HTTP server, then those of its authorities. With it the server speaks TLS ' +
    '1.2 and 1.3 only. This file and those of the next two settings are read again every 10 seconds and on SIGHUP'
  )
  const keyPath = read.path('HTTP_TLS_KEY_PATH', 'PEM file with the key of the certificate, without a passphrase')
  const clientCaPath = read.path(
    'HTTP_TLS_CLIENT_CA_PATH',
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
  if (certPath === undefined || keyPath === undefined) {
    if (certPath !== keyPath) read.reject('HTTP_TLS_CERT_PATH', 'and HTTP_TLS_KEY_PATH go together')
    else if (clientAuth !== 'none') read.reject('HTTP_TLS_CLIENT_AUTH', 'needs HTTP_TLS_CERT_PATH')
    else if (clientCaPath !== undefined) read.reject('HTTP_TLS_CLIENT_CA_PATH', 'needs HTTP_TLS_CERT_PATH')
    return undefined
  }
  if ((clientAuth === 'none') !== (clientCaPath === undefined)) {
    read.reject('HTTP_TLS_CLIENT_AUTH', 'optional or required, and HTTP_TLS_CLIENT_CA_PATH go together')
  }
  return { certPath, keyPath, clientCaPath, clientAuth }
}
