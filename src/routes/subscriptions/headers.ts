import type { FieldError } from '../../api/field-error.ts'
import { HIDDEN } from '../../api/subscription-parts.ts'
import { pointerTo } from '../../text/json-pointer.ts'

const MAX_NAME = 100
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
// Printable ASCII, with spaces inside: anything else is read differently by different servers.
const VALUE = /^(?:[!-~](?:[\t -~]*[!-~])?)?$/
// Those of the connection and of the body belong to HTTP, the others say what is delivered.
const OWNED = new Set([
  'connection', 'content-encoding', 'content-length', 'content-type', 'date', 'expect', 'host', 'keep-alive',
  'proxy-authenticate', 'proxy-authorization', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade',
  'http2-settings', 'traceparent', 'tracestate', 'user-agent'
])
const MOVED = `must be a value: ${HIDDEN} stands for what is sent to the server of the URL before`
const OWNED_PREFIX = /^(?:webhook|stream|delivery)-/

/** The headers of the subscription that is changed. */
export interface KnownHeaders {
  /** Sealed. */
  readonly headers: Readonly<Record<string, string>>
  /**
   * The URL leads to another server now. What was meant for the one before is not sent there: a caller could choose a
   * server of its own to see the credentials of another one.
   */
  readonly isMoved: boolean
}

/**
 * The sealed values of headers, by their names in lower case.
 *
 * @param errors what is wrong is added to it
 */
export function headersOf (
  given: Readonly<Record<string, string>>,
  { headers: known, isMoved }: KnownHeaders,
  seal: (text: string) => string,
  errors: FieldError[]
): Record<string, string> {
  const sealed = new Map<string, string>()
  for (const [text, value] of Object.entries(given)) {
    const name = text.toLowerCase()
    const before = Object.hasOwn(known, name) ? known[name] : undefined
    const fault = faultOf(name, value, before !== undefined) ?? (sealed.has(name) ? 'is given twice' : undefined) ??
      (isMoved && value === HIDDEN ? MOVED : undefined)
    if (fault !== undefined) errors.push({ pointer: pointerTo('/headers', text), message: fault })
    else sealed.set(name, value === HIDDEN && before !== undefined ? before : seal(value))
  }
  return Object.fromEntries(sealed)
}

function faultOf (name: string, value: string, isKnown: boolean): string | undefined {
  if (!TOKEN.test(name) || name.length > MAX_NAME) {
    return `must have a name of up to ${MAX_NAME} letters, digits and !#$%&'*+.^_\`|~-`
  }
  if (OWNED.has(name) || OWNED_PREFIX.test(name)) return 'is a header that the gateway sets itself, or leaves to HTTP'
  if (value === HIDDEN && !isKnown) return `must be a value: ${HIDDEN} stands for none here`
  return VALUE.test(value) ? undefined : 'must be printable ASCII, without spaces at its ends'
}
