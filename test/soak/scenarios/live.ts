import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { field, HttpClient, type Target } from '../../support/workload/index.ts'
import { until } from '../../support/until.ts'
import type { World } from '../world.ts'
import type { Scenario } from './scenario.ts'

const LINE = `${'x'.repeat(1023)}\n`
const ABORTS = 10_000
const ABORTED_AT_ONCE = 100
const CROWD = 1000
/** What is published while a reader stands still. */
const MUCH_MIB = 1024
const LAST_READ_MS = 300_000

/** Clients of live reads, beside the load. */
export const liveScenarios: readonly Scenario[] = [
  {
    name: 'live-aborted',
    nodes: 1,
    async run ({ world, random }) {
      await withStream(world, async (target, path) => {
        for (let times = 0; times < ABORTS / ABORTED_AT_ONCE; times++) {
          await Promise.all(Array.from({ length: ABORTED_AT_ONCE }, async () => {
            const reader = new LineReader(target, path)
            if (random() < 0.7) await reader.open().catch(() => {})
            await delay(random() * 20)
            reader.close()
          }))
        }
        await untilAllHaveLeft(target)
      })
    }
  },
  {
    // It takes nothing until everything is published. Another one follows meanwhile.
    name: 'live-reader-stops',
    nodes: 1,
    async run ({ world }) {
      await withStream(world, async (target, path, client) => {
        const [stopping, following] = [new LineReader(target, path), new LineReader(target, path)]
        await Promise.all([stopping.open(), following.open()])
        stopping.pause()
        const body = LINE.repeat(1024)
        for (let mib = 0; mib < MUCH_MIB; mib++) {
          const reply = await client.call('POST', `${path}/messages/lines`, { body, contentType: 'text/plain' })
          const isStored = reply.isAnswer && reply.status === 200
          if (!isStored) throw new Error(`publishing was told ${JSON.stringify(reply)}`)
        }
        const count = MUCH_MIB * 1024
        await until('the other reader has everything', () => following.next === count, LAST_READ_MS)
        stopping.resume()
        await until('the reader that stood still has everything', async () => {
          if (stopping.isClosed) await stopping.open().catch(() => {})
          return stopping.next === count
        }, LAST_READ_MS)
        for (const reader of [stopping, following]) {
          world.alarms.push(...reader.faults)
          reader.close()
        }
        await untilAllHaveLeft(target)
      })
    }
  },
  {
    name: 'live-drained',
    nodes: 1,
    async run ({ world }) {
      await withStream(world, async (target, path) => {
        const crowd = Array.from({ length: CROWD }, () => new LineReader(target, path))
        for (const reader of crowd) await reader.open()
        const { code } = await world.restartGateway(0, 'SIGTERM')
        if (code !== 0) world.alarms.push(`a gateway that was told to end ended with ${String(code)}`)
        await until('all have noticed', () => crowd.every(({ isClosed }) => isClosed))
        const spared = crowd.filter(({ bye }) => bye !== 'draining').length
        if (spared > 0) world.alarms.push(`${spared} of ${CROWD} live reads were not told of the end`)
        await world.untilReady()
        // They come back with their ids, all at once.
        await Promise.all(crowd.map(async (reader) => { await reader.open() }))
        for (const reader of crowd) reader.close()
        await untilAllHaveLeft(target)
      })
    }
  }
]

/** Follows a stream of messages alone, and keeps nothing but where it is. It is opened again where it was. */
class LineReader {
  readonly faults: string[] = []
  next = 0
  bye: unknown
  isClosed = true
  readonly #target: Target
  readonly #path: string
  #request: ClientRequest | undefined
  #response: IncomingMessage | undefined

  constructor (target: Target, path: string) {
    this.#target = target
    this.#path = path
  }

  /** @throws when the answer is not one that follows */
  async open (): Promise<void> {
    const url = `${this.#target.url}${this.#path}/messages?follow=true&lastEventId=${this.next}`
    const request = httpRequest(url, { agent: false })
    this.#request = request
    this.isClosed = false
    request.on('error', () => {})
    request.once('close', () => { this.isClosed = true })
    request.end()
    const [response] = await once(request, 'response')
    if (response.statusCode !== 200) {
      request.destroy()
      throw new Error(`a live read was told ${response.statusCode}`)
    }
    this.#response = response
    let rest = ''
    response.setEncoding('utf8')
    response.on('error', () => {})
    response.on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) if (line !== '') this.#take(line)
    })
  }

  pause (): void {
    this.#response?.pause()
  }

  resume (): void {
    this.#response?.resume()
  }

  close (): void {
    this.#request?.destroy()
  }

  #take (line: string): void {
    const offset = /^\{"offset":(\d+)/.exec(line)?.[1]
    if (offset === undefined) {
      const control: unknown = JSON.parse(line)
      this.bye = field(field(control, '$bye'), 'reason') ?? this.bye
      if (field(control, '$gap') !== undefined) this.faults.push(`a live read of ${this.#path} has ${line}`)
      return
    }
    if (Number(offset) !== this.next) this.faults.push(`a live read has ${offset} where ${this.next} was to come`)
    this.next = Number(offset) + 1
  }
}

/** Waits until the gateway has no live answer left but those of the load. */
async function untilAllHaveLeft ({ url }: Target): Promise<void> {
  let counts: number[] = []
  await until('all live answers have ended', async () => {
    const text = await (await fetch(`${url}/metrics`)).text()
    counts = [...text.matchAll(/live_connections\{format="\w+"\} (\d+)/g)].map(([, count]) => Number(count))
    return counts.every((count) => count <= 1)
  }).catch((error: unknown) => { throw new Error(`live answers are left: ${counts.join(', ')}`, { cause: error }) })
}

async function withStream (
  world: World, act: (target: Target, path: string, client: HttpClient) => Promise<void>
): Promise<void> {
  const [target] = world.targets
  if (target === undefined) throw new Error('there is no gateway')
  const client = new HttpClient(target)
  const path = `/v1/streams/side-${randomUUID()}`
  try {
    await client.call('PUT', path)
    await act(target, path, client)
  } finally {
    await client.call('DELETE', path)
    await client.close()
  }
}
