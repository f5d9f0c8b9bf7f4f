/** What of a client's certificate can name it. */
export interface CertificateText {
  /** As Node.js writes it: `DNS:a.example, URI:spiffe://example/a`. */
  readonly subjectAltName: string | undefined
  /** The common name of the subject; several are a list. */
  readonly commonName: unknown
}

// A value with special characters is JSON, so that it cannot pretend to be several names (CVE-2021-44532).
const ALTERNATIVE = /([A-Za-z][A-Za-z ]*):("(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/y
// A name with a NUL is read differently by different programs.
const CONTROL = /\p{Cc}/u

/**
 * The names by which a certificate is looked up: its URIs, else its DNS names, else its common name. Names of a weaker
 * kind are not used where there is a stronger one. A common name that looks like a URI is not used: an authority that
 * checks URIs may not check it.
 */
export function certificateNames ({ subjectAltName = '', commonName }: CertificateText): readonly string[] {
  const alternatives = alternativesOf(subjectAltName)
  if (alternatives === undefined) return []
  const uris = alternatives.filter(([kind]) => kind === 'URI').map(([, name]) => name)
  if (uris.length > 0) return uris.filter(isSafe)
  const domains = alternatives.filter(([kind]) => kind === 'DNS').map(([, name]) => name)
  if (domains.length > 0) return domains.filter((name) => isSafe(name) && !isUri(name))
  return typeof commonName === 'string' && isSafe(commonName) && !isUri(commonName) ? [commonName] : []
}

/** Undefined: the text cannot be read whole, so that nothing in it can be relied on. */
function alternativesOf (text: string): Array<[kind: string, name: string]> | undefined {
  const alternatives: Array<[string, string]> = []
  for (let at = 0; at < text.length; at = ALTERNATIVE.lastIndex) {
    ALTERNATIVE.lastIndex = at
    const [, kind = '', value = ''] = ALTERNATIVE.exec(text) ?? []
    const name = value.startsWith('"') ? unquoted(value) : value
    if (kind === '' || name === undefined) return undefined
    alternatives.push([kind, name])
  }
  return alternatives
}

function unquoted (text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'string' ? value : undefined
  } catch {
    return undefined
  }
}

function isSafe (name: string): boolean {
  return name !== '' && !CONTROL.test(name)
}

function isUri (name: string): boolean {
  return name.includes('://')
}
