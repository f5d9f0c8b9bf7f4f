import { connect, Offset } from 'rabbitmq-stream-js-client'
import { Window } from './window.ts'
import { work, type Round } from './worker.ts'

/** Publishes, or consumes from the first message on. */
export interface JsClientConfig {
  readonly kind: 'publish' | 'consume'
  readonly streamPort: number
  readonly stream: string
  readonly bodyBytes: number
  /** Of published messages; undefined: no properties at all. */
  readonly contentType?: string
  /** Most unconfirmed messages at a time: as many as the HTTP clients of the case have in flight. */
  readonly inFlight: number
  /** How many messages the consumed stream has. */
  readonly messages: number
}

type Client = Awaited<ReturnType<typeof connect>>

/*
 * rabbitmq-stream-js-client as its README shows it: `declarePublisher`, `send`, the `publish_confirm` event;
 * `declareConsumer` with a handler. To its advantage it has no publisher reference, since deduplication costs the
 * broker something, and does not await each `send`. Everything else is its default; longer frames (`maxChunkLength` 250
 * to 2,000 in place of 100) made it slower more often than faster.
 */
await work<JsClientConfig>(async (config) => {
  const client = await connect({
    hostname: '127.0.0.1',
    port: config.streamPort,
    username: 'guest',
    password: 'guest',
    vhost: '/'
  })
  return config.kind === 'publish' ? await publish(client, config) : consume(client, config)
})

async function publish (client: Client, { stream, bodyBytes, contentType, inFlight }: JsClientConfig): Promise<Round> {
  const publisher = await client.declarePublisher({ stream })
  const body = Buffer.alloc(bodyBytes, 'x')
  const options = contentType === undefined ? {} : { messageProperties: { contentType } }
  const window = new Window(inFlight)
  publisher.on('publish_confirm', (error, ids) => {
    if (error !== null) throw new Error(`the broker refused a message: ${error}`)
    window.confirmed(ids.length)
  })
  return async (seconds) => {
    const startedMs = performance.now()
    const endMs = startedMs + seconds * 1000
    let count = 0
    while (performance.now() < endMs) {
      while (window.tryTake(1)) {
        void publisher.send(body, options) // a failure ends this process
        count++
      }
      await window.nextConfirm()
    }
    await window.allConfirmed()
    return { count, seconds: (performance.now() - startedMs) / 1000, latenciesMs: [] }
  }
}

function consume (client: Client, { stream, bodyBytes, messages }: JsClientConfig): Round {
  return async (seconds) => {
    const startedMs = performance.now()
    const endMs = startedMs + seconds * 1000
    let count = 0
    while (performance.now() < endMs) count += await pass(endMs)
    return { count, seconds: (performance.now() - startedMs) / 1000, latenciesMs: [] }
  }

  // Consumes from the first message to the last, or until the time is over.
  async function pass (endMs: number): Promise<number> {
    let count = 0
    let done = (): void => {}
    const isDone = new Promise<void>((resolve) => { done = resolve })
    const consumer = await client.declareConsumer({ stream, offset: Offset.first() }, ({ content }) => {
      if (content.length !== bodyBytes) throw new Error(`a body of ${content.length} bytes`)
      count++
      if (count === messages) done()
    })
    const timer = setTimeout(done, Math.max(0, endMs - performance.now()))
    await isDone
    clearTimeout(timer)
    const reached = count
    await consumer.close()
    return reached
  }
}
