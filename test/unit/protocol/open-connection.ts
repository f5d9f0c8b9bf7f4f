import type { Test } from 'tap'
import { Connection, type ConnectionHandlers, type ConnectionOptions } from '../../../src/streams/protocol/index.ts'

/** Options that work with a scripted broker. A test passes only the ones that it is about. */
export function connectionOptions (port: number, options: Partial<ConnectionOptions> = {}): ConnectionOptions {
  return {
    host: '127.0.0.1',
    port,
    authentication: { mechanism: 'PLAIN', username: 'guest', password: 'guest' },
    virtualHost: '/',
    connectionName: 'protocol test',
    frameMaxBytes: 1_048_576,
    heartbeatSeconds: 60,
    connectTimeoutMs: 10_000,
    requestTimeoutMs: 10_000,
    handlers: handlers(),
    ...options
  }
}

/** Handlers that do nothing, except for the given ones. */
export function handlers (some: Partial<ConnectionHandlers> = {}): ConnectionHandlers {
  return {
    confirmed () {},
    publishFailed () {},
    delivered () {},
    metadataUpdated () {},
    creditRefused () {},
    closed () {},
    ...some
  }
}

/** Opens a connection that ends with the test. */
export async function openConnection (
  t: Test, port: number, options: Partial<ConnectionOptions> = {}
): Promise<Connection> {
  const connection = await Connection.open(connectionOptions(port, options))
  t.teardown(() => { connection.destroy() })
  return connection
}

/** Options for the broker at `rabbitmq-stream://user:password@host:port/vhost`. */
export function optionsFromUrl (url: string, options: Partial<ConnectionOptions> = {}): ConnectionOptions {
  const { hostname, port, username, password, pathname } = new URL(url)
  return connectionOptions(Number(port), {
    host: hostname,
    authentication: {
      mechanism: 'PLAIN',
      username: decodeURIComponent(username),
      password: decodeURIComponent(password)
    },
    virtualHost: decodeURIComponent(pathname.slice(1)),
    ...options
  })
}
