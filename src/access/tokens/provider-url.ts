/**
 * What is wrong with the URL of an identity provider, for the end of a sentence; undefined when nothing is. Keys come
 * over https, or from this machine.
 */
export function faultOfProviderUrl (text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !['https:', 'http:'].includes(url.protocol)) return 'must be an https URL'
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    return 'must be an https URL: over http, anybody on the way could put in other keys'
  }
  if (url.username !== '' || url.password !== '') return 'must not have a user or a password'
  return undefined
}

// `URL` has made the usual form of an address.
function isLoopback (host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(host)
}
