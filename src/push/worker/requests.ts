import { setImmediate as turn } from 'node:timers/promises'
import { batchSlices, messageToJsonText, rawBody } from '../../messages/index.ts'
import type { ReadPiece } from '../../streams/index.ts'
import type { Definition } from '../definitions/definition.ts'
import { sealContext, type Sealing } from '../definitions/sealing.ts'
import { keyOf, signatureOf, webhookId } from '../delivery/signature.ts'
import type { EndpointRequest, Endpoints } from '../endpoint/endpoints.ts'
import type { WorkerTask } from './worker-options.ts'
import { piecesOf, readMessageOf, shownPlace, type PushMessage } from './push-message.ts'

// More is encoded in steps, between which others get their turn.
const ENCODED_AT_ONCE_BYTES = 128 * 1024
const TURN_MS = 4
const JSON_TYPE = 'application/json'
// What a header field may hold (RFC 9110, 5.5).
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/** What the requests of a worker have in common. */
export interface RequestsOptions {
  readonly task: Pick<WorkerTask, 'subscription' | 'deliveryGeneration'>
  readonly sealing: Sealing
  readonly virtualHost: string
  /** The API's name of the stream that is read. */
  readonly stream: string
  /** Of the gateway. */
  readonly version: string
  /** Why no request may go to a URL; undefined when it may. */
  readonly endpoints: Pick<Endpoints, 'refusalOf'>
}

interface Key { readonly key: Uint8Array, readonly until: number | null }

/** Why no request can be made, until the definition or the settings change. For the operator to read. */
export class UnsendableError extends Error {
  override readonly name = 'UnsendableError'
}

/** Makes the requests of one unit. */
export class Requests {
  readonly #options: RequestsOptions
  readonly #url: URL
  readonly #keys: readonly Key[]
  readonly #streamName: string
  // Names and values in turn, which take no object for each request.
  readonly #fixed: readonly string[]

  /** @throws UnsendableError */
  constructor (options: RequestsOptions) {
    const { task: { subscription: { key, definition }, deliveryGeneration }, sealing, stream, version } = options
    const context = sealContext(key)
    // The settings may be others than when the subscription was made.
    const refusal = options.endpoints.refusalOf(definition.url)
    if (refusal !== undefined) throw new UnsendableError(`the settings of the gateway refuse the URL: it ${refusal}`)
    this.#options = options
    this.#url = new URL(definition.url)
    this.#keys = keysOf(definition, sealing, context)
    // Names may have any characters, headers may not.
    this.#streamName = encodeURIComponent(stream)
    this.#fixed = Object.entries({
      ...headersOf(definition, sealing, context),
      'stream-subscription': encodeURIComponent(key.subscription),
      'delivery-generation': String(deliveryGeneration),
      'user-agent': `rabbitmq-stream-gateway/${version}`
    }).flat()
  }

  /**
   * The request that carries the messages.
   *
   * @param attempt how often the first of them is sent with it, from 1
   * @throws UnsendableError
   */
  async of (messages: readonly [PushMessage, ...PushMessage[]], attempt: number): Promise<EndpointRequest> {
    const { definition } = this.#options.task.subscription
    const [first] = messages
    const isBatch = definition.batch.maxMessages > 1
    const shown = shownPlace(first)
    const last = messages.length > 1 ? shownPlace(messages.at(-1) ?? first).lastOffset : undefined
    const stream = first.origin?.stream ?? this.#options.stream
    const place = { ...this.#place(shown), stream, ...(last !== undefined && { lastOffset: last }) }
    const { contentType, body } = isBatch
      ? { contentType: JSON_TYPE, body: await batchBody(messages) }
      : await this.#single(first)
    return this.#signed(webhookId(place, this.#options.task.subscription.key.subscription), body, [
      'content-type', contentType,
      'stream-name', first.origin === undefined ? this.#streamName : encodeURIComponent(stream),
      'stream-offset', String(shown.offset),
      'stream-timestamp', new Date(shown.timestamp).toISOString(),
      'delivery-attempt', String(attempt)
    ])
  }

  /** A request without a message, by which an operator tries the endpoint. @throws UnsendableError */
  test (): EndpointRequest {
    const timestamp = Date.now()
    const { key: { subscription } } = this.#options.task.subscription
    const place = { ...this.#place({ offset: 0, timestamp }), stream: 'test' }
    const body = Buffer.from('{"test":true}')
    return this.#signed(webhookId(place, subscription), body, [
      'content-type', JSON_TYPE, 'stream-name', this.#streamName, 'delivery-attempt', '1', 'delivery-test', 'true'
    ])
  }

  #place ({ offset, timestamp }: Pick<PushMessage, 'offset' | 'timestamp'>) {
    const { virtualHost, stream } = this.#options
    return { virtualHost, stream, timestamp, offset }
  }

  #signed (id: string, body: Uint8Array, headers: readonly string[]): EndpointRequest {
    const now = Date.now()
    const seconds = Math.floor(now / 1000)
    const keys = this.#keys.flatMap(({ key, until }) => until === null || until > now ? [key] : [])
    if (keys.length === 0) throw new UnsendableError('no secret of the subscription is valid any longer')
    return {
      url: this.#url,
      headers: [
        ...this.#fixed,
        ...headers,
        'webhook-id', id,
        'webhook-timestamp', String(seconds),
        'webhook-signature', signatureOf(keys, id, seconds, body)
      ],
      body,
      timeoutMs: this.#options.task.subscription.definition.timeoutMs
    }
  }

  async #single (message: PushMessage): Promise<{ contentType: string, body: Uint8Array }> {
    if (this.#options.task.subscription.definition.format === 'raw') return await rawOf(message)
    const body = message.bytes.length <= ENCODED_AT_ONCE_BYTES
      ? Buffer.from(messageToJsonText(readMessageOf(message), 'auto'))
      : await textOf(piecesOf([message]))
    return { contentType: JSON_TYPE, body }
  }
}

async function batchBody (messages: readonly PushMessage[]): Promise<Buffer> {
  const last = messages.at(-1)
  const nextOffset = last === undefined ? 0 : shownPlace(last).lastOffset + 1
  return await textOf(piecesOf(messages), '{"messages":[', `],"nextOffset":${nextOffset}}`)
}

async function textOf (pieces: readonly ReadPiece[], before = '', after = ''): Promise<Buffer> {
  return await joined(textsOf(pieces), before, after)
}

function * textsOf (pieces: readonly ReadPiece[]): Generator<string, void> {
  for (const { text } of batchSlices(pieces, 'auto', ',')) yield text
}

async function joined (slices: Iterable<string>, before = '', after = ''): Promise<Buffer> {
  let text = before
  let beganMs = performance.now()
  for (const slice of slices) {
    text += slice
    if (performance.now() - beganMs < TURN_MS) continue
    await turn()
    beganMs = performance.now()
  }
  return Buffer.from(text + after)
}

async function rawOf (message: PushMessage): Promise<{ contentType: string, body: Uint8Array }> {
  const { contentType, body } = rawBody(readMessageOf(message))
  return { contentType, body: body instanceof Uint8Array ? body : await joined(body) }
}

function keysOf ({ secrets }: Definition, sealing: Sealing, context: string): readonly Key[] {
  return secrets.map(({ sealed, until }) => {
    const secret = sealing.open(sealed, context)
    if (secret === undefined) {
      throw new UnsendableError('a secret cannot be decrypted: PUSH_ENCRYPTION_KEY has not its key')
    }
    const key = keyOf(secret)
    if (key === undefined) throw new UnsendableError('a secret is not one of Standard Webhooks')
    return { key, until }
  })
}

function headersOf ({ headers }: Definition, sealing: Sealing, context: string): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, sealed]) => {
    const value = sealing.open(sealed, context)
    if (value === undefined) {
      throw new UnsendableError(
        `the header ${name} cannot be decrypted: PUSH_ENCRYPTION_KEY has not its key`
      )
    }
    if (!HEADER_VALUE.test(value)) throw new UnsendableError(`the value of the header ${name} cannot be sent`)
    return [name, value]
  }))
}
