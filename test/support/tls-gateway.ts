import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import type { Test } from 'tap'
import { TestAuthority, type Certificate } from './certificates.ts'

/** The files of a gateway with TLS, in a directory of the test. */
export interface TlsFiles {
  readonly authority: TestAuthority
  /** What clients trust. */
  readonly ca: string
  readonly certPath: string
  readonly keyPath: string
  /** The settings that name certificate and key. */
  readonly env: Record<string, string>
  write: (certificate: Certificate) => void
  /** Writes another file and returns its path. */
  file: (name: string, content: string) => string
}

/** Makes an authority and the certificate of a server for 127.0.0.1 and localhost. */
export function tlsFiles (t: Test): TlsFiles {
  const authority = new TestAuthority('authority of a test')
  t.teardown(() => { authority.close() })
  const directory = t.testdir({})
  const file = (name: string, content: string): string => {
    const path = join(directory, name)
    writeFileSync(path, content)
    return path
  }
  const write = ({ cert, key }: Certificate): void => {
    file('cert.pem', cert)
    file('key.pem', key)
  }
  write(authority.server('localhost'))
  const certPath = join(directory, 'cert.pem')
  const keyPath = join(directory, 'key.pem')
  const env = { HTTP_TLS_CERT_PATH: certPath, HTTP_TLS_KEY_PATH: keyPath }
  return { authority, ca: authority.ca, certPath, keyPath, env, write, file }
}

/**
 * Connects to a port of this machine. The connection is closed with the test.
 *
 * @returns the socket after its handshake, or the code of the error
 */
export async function shakeHands (t: Test, port: number, options: ConnectionOptions): Promise<TLSSocket | string> {
  const socket = connect({ port, host: '127.0.0.1', ...options })
  t.teardown(() => { socket.destroy() })
  return await new Promise((resolve) => {
    socket.on('error', (error) => { resolve('code' in error ? String(error.code) : error.message) })
    socket.once('secureConnect', () => { resolve(socket) })
  })
}
