import { BadValue, type SettingReader } from './setting-reader.ts'

/** The port for health and metrics alone. */
export function readOperationsPort (read: SettingReader) {
  return {
    port: read.parsed<number | undefined>(
      'OPS_PORT',
      parsePort,
      undefined,
      'integer, 0 to 65535',
      'Port with `/health/*` and `/metrics` alone, in plain HTTP and without authentication. Then `/metrics` is not ' +
      'on the other port. 0 takes a free port and logs it'
    ),
    host: read.text(
      'OPS_HOST',
      '127.0.0.1',
      /^\S+$/,
      'a host name or an address',
      'Address of that port. Every client that reaches it sees the figures, and nothing else'
    )
  }
}

/** Notes one port for both: that another process uses it, as the system says then, would be wrong. */
export function refuseSamePort (read: SettingReader, ports: { port: number, operations: number | undefined }): void {
  if (ports.port !== 0 && ports.operations === ports.port) read.reject('OPS_PORT', 'and HTTP_PORT must differ')
}

function parsePort (text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN
  if (!(port <= 65_535)) throw new BadValue('must be an integer, 0 to 65535')
  return port
}
