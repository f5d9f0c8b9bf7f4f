import { RequestError, invalidRequest } from '../../api/problems.ts'
import type { FieldError } from '../../api/field-error.ts'
import type { GivenDefinition } from '../../api/subscription-schemas.ts'
import type { Definition, PauseCause } from '../../push/definitions/definition.ts'
import type { Subscription, SubscriptionKey } from '../../push/definitions/definitions.ts'
import { refuseBadReference, StreamsError, type Broker } from '../../streams/index.ts'
import { headersOf } from './headers.ts'
import { secretsOf, type Seal } from './secrets.ts'

const MAX_BYTES = 16 * 1024
const MAX_FILTER_BYTES = 255

/** With what a definition is completed. */
export interface Completion {
  readonly key: SubscriptionKey
  /** The subscription that it replaces. */
  readonly current: Subscription | undefined
  /** With the names of the API. */
  readonly broker: Broker
  readonly seal: Seal
  readonly refusalOf: (url: string) => string | undefined
}

/**
 * The definition that a caller means: complete, checked and sealed.
 *
 * @returns it, and the secret that was made for it
 * @throws RequestError
 */
export function complete (
  given: GivenDefinition, { key, current, broker, seal, refusalOf }: Completion
): { definition: Definition, made: string | undefined } {
  const errors: FieldError[] = [...contradictionsIn(given)]
  const fault = (pointer: string, message: string | undefined): void => {
    if (message !== undefined) errors.push({ pointer, message })
  }
  const { url, start, ordering, orderingKey, concurrency, batch, format, filter, timeoutMs, retry } = given
  const { onFailure, maxConsecutiveFailures, commit } = given
  const { errorStream = `${key.stream}_errors`, consumer = `push.${key.subscription}` } = given
  const known = current?.definition
  fault('/url', refusalOf(url))
  fault('/errorStream', faultIn(() => { broker.streams.nameOnBroker(errorStream) }))
  fault('/consumer', faultIn(() => { refuseBadReference('consumer', consumer) }))
  const before = { headers: known?.headers ?? {}, isMoved: known !== undefined && !isSameServer(known.url, url) }
  const headers = headersOf(given.headers, before, seal, errors)
  const { secrets, made } = secretsOf(given.secrets, known?.secrets, seal, errors)
  if (errors.length > 0) throw invalidRequest(errors)
  const definition: Definition = {
    url,
    start,
    ordering,
    orderingKey,
    concurrency,
    batch,
    format,
    filter,
    timeoutMs,
    retry,
    onFailure,
    errorStream,
    maxConsecutiveFailures,
    commit,
    headers,
    secrets,
    consumer,
    paused: pausedOf(given.paused, known?.paused ?? null)
  }
  refuseLarge(definition)
  return { definition, made }
}

function isSameServer (known: string, given: string): boolean {
  return URL.canParse(known) && URL.canParse(given) && new URL(known).origin === new URL(given).origin
}

function pausedOf (given: boolean | undefined, known: PauseCause | null): PauseCause | null {
  if (given === undefined) return known
  return given ? known ?? 'operator' : null
}

function * contradictionsIn (
  { ordering, orderingKey, concurrency, batch, format, retry, filter }: GivenDefinition
): Iterable<FieldError> {
  if (ordering === 'key' && orderingKey === null) {
    yield { pointer: '/orderingKey', message: 'is required with the ordering "key"' }
  }
  if (ordering !== 'key' && orderingKey !== null) {
    yield { pointer: '/orderingKey', message: 'goes with the ordering "key" only' }
  }
  if (ordering === 'stream' && concurrency > 1) {
    yield { pointer: '/concurrency', message: 'must be 1 with the ordering "stream"' }
  }
  if (format === 'raw' && batch.maxMessages > 1) {
    yield { pointer: '/batch/maxMessages', message: 'must be 1 with the format "raw"' }
  }
  if (retry.maxDelayMs < retry.initialDelayMs) {
    yield { pointer: '/retry/maxDelayMs', message: 'must not be less than initialDelayMs' }
  }
  const tooLong = filter.filterValues.findIndex((value) => Buffer.byteLength(value) > MAX_FILTER_BYTES)
  if (tooLong >= 0) {
    yield { pointer: `/filter/filterValues/${tooLong}`, message: `must have at most ${MAX_FILTER_BYTES} bytes` }
  }
}

function faultIn (check: () => void): string | undefined {
  try {
    check()
    return undefined
  } catch (error) {
    if (error instanceof StreamsError) return error.message
    throw error
  }
}

function refuseLarge (definition: Definition): void {
  const bytes = Buffer.byteLength(JSON.stringify(definition))
  if (bytes <= MAX_BYTES) return
  throw new RequestError(
    'payload_too_large',
    `the subscription has ${bytes} bytes as it is kept, with sealed headers and secrets, and may have ${MAX_BYTES}`,
    { extensions: { limitBytes: MAX_BYTES } }
  )
}
