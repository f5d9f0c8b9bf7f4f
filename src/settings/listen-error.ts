/**
 * What to do about an address that cannot be listened on, in one line. Undefined: the error is another one.
 *
 * @param error what the server has thrown
 */
export function describeListenError (
  error: unknown,
  { host, port }: { host: string, port: number }
): string | undefined {
  if (!(error instanceof Error && 'code' in error && 'syscall' in error)) return undefined
  const cannot = `Cannot listen on port ${port} of ${host} (${String(error.code)})`
  switch (error.code) {
    case 'EADDRINUSE':
      return `${cannot}: another process uses it. Stop that process, or set HTTP_PORT to another port`
    case 'EACCES':
      return `${cannot}: only root may use this port. Set HTTP_PORT to a port above 1023`
    case 'EADDRNOTAVAIL':
      return `${cannot}: this machine does not have the address. Correct HTTP_HOST`
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${cannot}: the host name is not known. Correct HTTP_HOST`
    default:
      return `${cannot}. Correct HTTP_HOST and HTTP_PORT`
  }
}
