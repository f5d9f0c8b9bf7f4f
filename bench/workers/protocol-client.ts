import { Connection, PUBLISH_FRAME_OVERHEAD_BYTES, type ConnectionHandlers } from '../../src/streams/protocol/index.ts'
import { MessageBatch } from '../../src/streams/index.ts'
import { Window } from './window.ts'
import { work, type Round } from './worker.ts'

/** The gateway's own protocol client without HTTP, budgets and outcomes: what the broker itself can do. */
export interface ProtocolClientConfig {
  /** `confirm`: one message at a time, each after a pause, as in the case wake-up. */
  readonly kind: 'publish' | 'consume' | 'confirm'
  readonly streamPort: number
  readonly stream: string
  readonly bodyBytes: number
  /** Messages in one frame. */
  readonly frameMessages: number
  /** Most unconfirmed messages at a time. */
  readonly inFlight: number
  /** How many messages the consumed stream has. */
  readonly messages: number
  /** Before each message, ms. */
  readonly pauseMs: number
}

const PUBLISHER_ID = 1
const CREDIT = 10

await work<ProtocolClientConfig>(async (config) => {
  switch (config.kind) {
    case 'publish': return await publish(config)
    case 'consume': return await consume(config)
    case 'confirm': return await confirm(config)
  }
})

async function publish (config: ProtocolClientConfig): Promise<Round> {
  const { frameMessages, inFlight } = config
  const window = new Window(inFlight)
  const connection = await open(config, { confirmed (_publisherId, ids) { window.confirmed(ids.length) } })
  await connection.declarePublisher(PUBLISHER_ID, '', config.stream)
  const entries = [entriesOf(frameMessages, config.bodyBytes)]
  return async (seconds) => {
    const startedMs = performance.now()
    const endMs = startedMs + seconds * 1000
    let count = 0
    while (performance.now() < endMs) {
      while (window.tryTake(frameMessages)) {
        connection.publish(PUBLISHER_ID, frameMessages, entries)
        count += frameMessages
      }
      await window.nextConfirm()
    }
    await window.allConfirmed()
    return { count, seconds: (performance.now() - startedMs) / 1000, latenciesMs: [] }
  }
}

async function confirm (config: ProtocolClientConfig): Promise<Round> {
  let wake = (): void => {}
  const connection = await open(config, { confirmed () { wake() } })
  await connection.declarePublisher(PUBLISHER_ID, '', config.stream)
  const entries = [entriesOf(1, config.bodyBytes)]
  return async (seconds) => {
    const startedMs = performance.now()
    const latenciesMs: number[] = []
    while (performance.now() < startedMs + seconds * 1000) {
      await new Promise((resolve) => { setTimeout(resolve, config.pauseMs) })
      const sentMs = performance.now()
      await new Promise<void>((resolve) => {
        wake = resolve
        connection.publish(PUBLISHER_ID, 1, entries)
      })
      latenciesMs.push(performance.now() - sentMs)
    }
    return { count: latenciesMs.length, seconds: (performance.now() - startedMs) / 1000, latenciesMs }
  }
}

async function consume (config: ProtocolClientConfig): Promise<Round> {
  let count = 0
  let done = (): void => {}
  let subscriptionId = 0
  const connection = await open(config, {
    delivered (id, chunk) {
      if (id !== subscriptionId) return
      connection.credit(id, 1)
      const cursor = chunk.entries()
      while (cursor.next()) {
        if (cursor.bodyLength < config.bodyBytes) throw new Error(`a message of ${cursor.bodyLength} bytes`)
        count++
      }
      if (chunk.endOffset === config.messages) done()
    }
  })
  return async (seconds) => {
    const startedMs = performance.now()
    const endMs = startedMs + seconds * 1000
    count = 0
    while (performance.now() < endMs) {
      subscriptionId = (subscriptionId + 1) % 256
      const isDone = new Promise<void>((resolve) => { done = resolve })
      const timer = setTimeout(() => { done() }, endMs - performance.now())
      await connection.subscribe(subscriptionId, config.stream, { type: 'offset', offset: 0 }, CREDIT, new Map())
      await isDone
      clearTimeout(timer)
      await connection.unsubscribe(subscriptionId)
    }
    return { count, seconds: (performance.now() - startedMs) / 1000, latenciesMs: [] }
  }
}

async function open ({ streamPort }: ProtocolClientConfig, handlers: Partial<ConnectionHandlers>): Promise<Connection> {
  return await Connection.open({
    host: '127.0.0.1',
    port: streamPort,
    authentication: { mechanism: 'PLAIN', username: 'guest', password: 'guest' },
    virtualHost: '/',
    connectionName: 'bench',
    frameMaxBytes: 1024 * 1024,
    heartbeatSeconds: 60,
    connectTimeoutMs: 10_000,
    requestTimeoutMs: 10_000,
    handlers: {
      confirmed () {},
      publishFailed (_publisherId, _publishingId, code) { throw new Error(`the broker refused a message: ${code}`) },
      delivered () {},
      metadataUpdated (code) { throw new Error(`the stream is gone: ${code}`) },
      creditRefused () {}, // of a subscription that has just ended
      closed (error) { throw error },
      ...handlers
    }
  })
}

// The same bytes in every frame: a publisher without a reference may use its publishing ids again.
function entriesOf (count: number, bodyBytes: number): Buffer {
  const batch = new MessageBatch()
  for (let index = 0; index < count; index++) batch.addData(Buffer.alloc(bodyBytes, 'x'))
  batch.numberFrom(1)
  if (batch.byteLength + PUBLISH_FRAME_OVERHEAD_BYTES > 1024 * 1024) {
    throw new Error('the messages do not fit into a frame')
  }
  return batch.entries(0, count)
}
