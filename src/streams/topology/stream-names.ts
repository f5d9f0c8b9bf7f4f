import { StreamsError, type ErrorDetails } from '../errors.ts'

const MAX_STREAM_BYTES = 200
const MAX_REFERENCE_BYTES = 255
const PLACEHOLDER = '{name}'
const CONTROL = /\p{Cc}/u

/**
 * Maps the API's stream names to the broker's with a pattern such as `shop_{name}`. It refuses names that the broker
 * would change, would crash on or reserves for itself.
 */
export class StreamNames {
  readonly #prefix: string
  readonly #suffix: string
  readonly #hiddenPrefix: string | undefined

  /**
   * @param pattern contains `{name}` once
   * @param hiddenPrefix streams of the broker whose names begin with it do not exist for the API
   */
  constructor (pattern: string, hiddenPrefix?: string) {
    const [prefix, suffix, ...rest] = pattern.split(PLACEHOLDER)
    if (prefix === undefined || suffix === undefined || rest.length > 0) {
      throw new RangeError('the pattern must contain {name} once')
    }
    this.#prefix = prefix
    this.#suffix = suffix
    this.#hiddenPrefix = hiddenPrefix
  }

  /** @throws StreamsError `invalid_argument`; `stream_not_found` for a stream that is hidden */
  toBroker (name: string): string {
    const brokerName = this.#prefix + name + this.#suffix
    refuseBadName('stream', name, MAX_STREAM_BYTES)
    if (name.startsWith('amq.') || brokerName.startsWith('amq.')) throw invalid('stream', 'must not start with "amq."')
    // The broker creates a directory `<virtual host>_<name>_<digits>`, and a part of a path has at most 255 bytes.
    if (Buffer.byteLength(brokerName) > MAX_STREAM_BYTES) {
      throw invalid('stream', `must have at most ${MAX_STREAM_BYTES} bytes with what the gateway's pattern adds`)
    }
    if (this.#isHidden(brokerName)) throw new StreamsError('stream_not_found', 'the gateway keeps this name for itself')
    return brokerName
  }

  /** The API's name; undefined for a stream that does not follow the pattern. */
  fromBroker (brokerName: string): string | undefined {
    const { length } = brokerName
    if (this.#isHidden(brokerName)) return undefined
    if (length <= this.#prefix.length + this.#suffix.length) return undefined
    if (!brokerName.startsWith(this.#prefix) || !brokerName.endsWith(this.#suffix)) return undefined
    return brokerName.slice(this.#prefix.length, length - this.#suffix.length)
  }

  #isHidden (brokerName: string): boolean {
    return this.#hiddenPrefix !== undefined && brokerName.startsWith(this.#hiddenPrefix)
  }
}

/** Refuses a bad reference. One of more than 255 bytes crashes brokers older than 4.0.3. */
export function refuseBadReference (what: 'consumer' | 'publisher', name: string): void {
  refuseBadName(what, name, MAX_REFERENCE_BYTES)
}

type Named = ErrorDetails['invalid_argument']['argument']

function refuseBadName (what: Named, name: string, maxBytes: number): void {
  const bytes = Buffer.byteLength(name)
  if (bytes < 1 || bytes > maxBytes) throw invalid(what, `must have 1 to ${maxBytes} bytes of UTF-8`)
  // Clients and proxies change these parts of a path, however they are encoded.
  if (name === '.' || name === '..') throw invalid(what, 'must not be "." or ".."')
  if (CONTROL.test(name)) throw invalid(what, 'must not contain control characters')
  if (/\p{Surrogate}/u.test(name)) throw invalid(what, 'must not contain lone surrogates')
}

function invalid (what: Named, rule: string): StreamsError {
  return new StreamsError('invalid_argument', `a ${what} name ${rule}`, { details: { argument: what } })
}
