/** Where a server was to listen, and how the names of the settings begin that say so. */
export interface ListenAddress {
  readonly host: string
  readonly port?: number | undefined
  readonly settings: 'HTTP' | 'OPS'
}

/**
 * What to do about an address that cannot be listened on, in one line. Undefined: the error is another one.
 *
 * @param error what the server has thrown
 */
export function describeListenError (
  error: unknown,
  { host, port, settings }: ListenAddress
): string | undefined {
  if (!(error instanceof Error && 'code' in error && 'syscall' in error)) return undefined
  const cannot = `Cannot listen on port ${port} of ${host} (${String(error.code)})`
  switch (error.code) {
    case 'EADDRINUSE':
      return `${cannot}: another process uses it. Stop that process, or set ${settings}_PORT to another port`
    case 'EACCES':
      return `${cannot}: only root may use this port. Set ${settings}_PORT to a port above 1023`
    case 'EADDRNOTAVAIL':
      return `${cannot}: this machine does not have the address. Correct ${settings}_HOST`
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${cannot}: the host name is not known. Correct ${settings}_HOST`
    default:
      return `${cannot}. Correct ${settings}_HOST and ${settings}_PORT`
  }
}
