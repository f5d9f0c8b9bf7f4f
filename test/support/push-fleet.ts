import { randomUUID } from 'node:crypto'
import { testManagementUrl, testStreamUrl } from './broker.ts'
import { GatewayProcess } from './gateway-process.ts'
import { inParallel } from './in-parallel.ts'
import { PUSH_SETTINGS, pushSettings } from './push-gateway.ts'
import type { Delivery, PushReceiver } from './push-receiver.ts'
import { list, record } from './schema-values.ts'
import { until } from './until.ts'

export interface FleetOptions {
  readonly gateways: number
  readonly env?: Record<string, string>
}

/** A stream with a subscription, and what is known of it. */
export interface Source {
  readonly stream: string
  readonly path: string
  /** The path of the deliveries at the receiver. */
  readonly hook: string
  /** How many messages were confirmed: message n has the body n. */
  published: number
}

/** Ends what it owns. */
interface Owner { teardown: (end: () => unknown) => unknown }

const AT_ONCE = 10

/** Several gateways in processes of their own that share the subscriptions of tests. */
export class PushFleet {
  readonly gateways: GatewayProcess[] = []
  readonly #env: Record<string, string>

  private constructor (env: Record<string, string>) {
    this.#env = env
  }

  static async start (t: Owner, { gateways, env = {} }: FleetOptions): Promise<PushFleet> {
    const fleet = new PushFleet({
      ...PUSH_SETTINGS,
      PUSH_HEARTBEAT_SECONDS: '2',
      ...env['RABBITMQ_STREAM_URL'] === undefined && testBroker(t),
      ...env
    })
    t.teardown(async () => { await Promise.all(fleet.gateways.map(async (gateway) => await gateway.end('SIGKILL'))) })
    await Promise.all(Array.from({ length: gateways }, async () => await fleet.add()))
    return fleet
  }

  /** Starts one more. */
  async add (): Promise<GatewayProcess> {
    const gateway = await GatewayProcess.start({ env: this.#env, forgetsRequests: true })
    this.gateways.push(gateway)
    return gateway
  }

  /** Ends one, and forgets it. */
  async end (gateway: GatewayProcess, signal: NodeJS.Signals): Promise<void> {
    this.gateways.splice(this.gateways.indexOf(gateway), 1)
    await gateway.end(signal)
  }

  /** Asks a gateway that runs, and another one when that does not answer. */
  async request (method: string, path: string, json?: unknown): Promise<{ status: number, json: unknown }> {
    return await until(`${method} ${path} is answered`, async () => {
      for (const { url } of this.gateways) {
        try {
          const response = await fetch(`${url}${path}`, {
            method,
            signal: AbortSignal.timeout(15_000),
            ...(json !== undefined && { body: JSON.stringify(json), headers: { 'content-type': 'application/json' } })
          })
          const text = await response.text()
          const { status } = response
          if (status < 500) return { status, json: text === '' ? undefined : JSON.parse(text) }
        } catch {}
      }
      return undefined
    }, 60_000)
  }

  /** Streams, each with a subscription that begins at the first message. */
  async newSources (t: Owner, count: number, receiver: PushReceiver, subscription: object = {}): Promise<Source[]> {
    const sources = Array.from({ length: count }, (): Source => {
      const stream = `push-${randomUUID()}`
      return { stream, path: `/v1/streams/${stream}`, hook: `/${stream}`, published: 0 }
    })
    t.teardown(async () => {
      await forEach(sources, async ({ path, stream }) => {
        await this.request('DELETE', `${path}/subscriptions/s`)
        await this.request('DELETE', path)
        await this.request('DELETE', `/v1/streams/${stream}_errors`)
      })
    })
    await forEach(sources, async ({ path, hook }) => {
      await this.request('PUT', path)
      const url = new URL(hook, receiver.url).href
      const definition = { url, start: 'first', ...subscription }
      const { status, json } = await this.request('PUT', `${path}/subscriptions/s`, definition)
      if (status !== 201) throw new Error(`the subscription was answered ${status}: ${JSON.stringify(json)}`)
    })
    return sources
  }

  /** Publishes the next messages of a stream, under a publisher name, so that none is stored twice. */
  async publish (source: Source, count: number): Promise<void> {
    const first = source.published
    const body = Array.from({ length: count }, (_, index) => String(first + index)).join('\n')
    const query = `publisher=p&firstPublishingId=${first + 1}`
    await until('the messages are confirmed', async () => {
      for (const { url } of this.gateways) {
        const path = `${url}${source.path}/messages/lines?${query}`
        const signal = AbortSignal.timeout(3000) // one of them may be frozen
        const status = await fetch(path, { method: 'POST', body, headers: { 'content-type': 'text/plain' }, signal })
          .then(async (response) => {
            await response.arrayBuffer()
            return response.status
          }, () => 0)
        if (status === 200) return true
      }
      return undefined
    }, 60_000)
    source.published = first + count
  }

  /** The bodies of the error stream of a source, in their order. */
  async errorEntries (source: Source): Promise<Array<Record<string, unknown>>> {
    const entries: Array<Record<string, unknown>> = []
    for (let offset = 0; ;) {
      const path = `/v1/streams/${source.stream}_errors/messages?offset=${offset}&limit=1000`
      const { status, json } = await this.request('GET', path)
      if (status === 404) return entries
      const { messages, nextOffset, endOfStream } = record(json)
      entries.push(...list(messages).map((message) => record(message)))
      if (endOfStream === true) return entries
      offset = Number(nextOffset)
    }
  }
}

// The broker of the tests, and streams of their own there.
function testBroker (t: Owner): Record<string, string> {
  return { RABBITMQ_STREAM_URL: testStreamUrl(), RABBITMQ_MANAGEMENT_URL: testManagementUrl(), ...pushSettings(t) }
}

async function forEach (sources: readonly Source[], act: (source: Source) => Promise<void>): Promise<void> {
  await inParallel(sources.length, AT_ONCE, async (index) => {
    const source = sources[index]
    if (source !== undefined) await act(source)
  })
}

/** What became of the messages of a source, by the number in each body. */
export interface Ledger {
  /** Numbers in the order of their first processing. */
  readonly processed: number[]
  /** How many deliveries were repeats of a number that was processed before. */
  readonly repeats: number
  /** Numbers that were sent before the one before them was processed or given up. */
  readonly outOfOrder: number[]
}

/** Reads the ledger of a source out of what the receiver got and answered with 2xx. */
export function ledgerOf (deliveries: readonly Delivery[], { hook }: Source): Ledger {
  const seen = new Set<number>()
  const processed: number[] = []
  const outOfOrder: number[] = []
  let repeats = 0
  for (const delivery of deliveries) {
    if (delivery.path !== hook || delivery.answered < 200 || delivery.answered >= 300) continue
    const number = Number(record(delivery.json)['body'])
    if (seen.has(number)) {
      repeats++
      continue
    }
    if (number < (processed.at(-1) ?? -1)) outOfOrder.push(number)
    seen.add(number)
    processed.push(number)
  }
  return { processed, repeats, outOfOrder }
}
