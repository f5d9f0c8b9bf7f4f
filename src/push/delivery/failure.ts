/**
 * What a failed try means:
 * - `message`: the endpoint refuses this message
 * - `ambiguous`: the message or the endpoint is to blame
 * - `endpoint`: the endpoint cannot be reached, or refuses everything at the moment
 * - `gone`: the endpoint wants nothing of this subscription
 */
export type FailureClass = 'message' | 'ambiguous' | 'endpoint' | 'gone'

const MESSAGE = new Set([400, 409, 413, 415, 422, 489])
const ENDPOINT = new Set([401, 402, 403, 404, 405, 407, 408, 421, 425, 429, 502, 503, 504])
const GONE = 410

/**
 * What a status says about a request; undefined: it was processed.
 *
 * @param isFinal the endpoint does not want the message again
 */
export function failureOf (status: number, isFinal = false): FailureClass | undefined {
  if (status >= 200 && status < 300) return undefined
  if (status === GONE) return 'gone'
  if (isFinal || MESSAGE.has(status)) return 'message'
  // Redirects are not followed: they could lead anywhere.
  if (ENDPOINT.has(status) || (status >= 300 && status < 400)) return 'endpoint'
  return 'ambiguous'
}
