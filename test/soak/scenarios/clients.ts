import { randomUUID } from 'node:crypto'
import { field, HttpClient } from '../../support/workload/index.ts'
import type { World } from '../world.ts'
import type { Scenario } from './scenario.ts'

const MIB = 1024 * 1024
/** Requests of a burst, of about one MiB each. */
const BURST = 320

/** What clients do to a gateway, beside the load. */
export const clientScenarios: readonly Scenario[] = [
  {
    name: 'polls-abandoned',
    nodes: 1,
    async run ({ world }) {
      await withStream(world, async (client, path) => {
        for (let times = 0; times < 20; times++) {
          await Promise.all(Array.from({ length: 100 }, async () => {
            const signal = AbortSignal.timeout(20 + times)
            await client.call('GET', `${path}/messages?offset=next&wait=30`, { signal })
          }))
        }
      })
    }
  },
  {
    // Ten times what may wait: a request that is not served is refused, and nothing else.
    name: 'burst',
    nodes: 1,
    async run ({ world }) {
      await withStream(world, async (client, path) => {
        const body = `${'x'.repeat(999)}\n`.repeat(1024)
        const replies = await Promise.all(Array.from({ length: BURST }, async () => {
          return await client.call('POST', `${path}/messages/lines`, { body, contentType: 'text/plain' })
        }))
        for (const reply of replies) {
          if (reply.isAnswer && [200, 207, 503].includes(reply.status)) continue
          world.alarms.push(`a burst of ${BURST * body.length / MIB} MiB got ${JSON.stringify(reply)}`)
        }
      })
    }
  },
  {
    name: 'streams-created-and-deleted',
    nodes: 1,
    async run ({ world }) {
      for (let times = 0; times < 50; times++) {
        await withStream(world, async (client, path) => {
          const lines = { body: 'one\ntwo\n', contentType: 'text/plain' }
          const published = await client.call('POST', `${path}/messages/lines`, lines)
          const read = await client.call('GET', `${path}/messages?offset=first`)
          const messages = read.isAnswer ? field(read.json, 'messages') : undefined
          const isPublished = published.isAnswer && published.status === 200
          const isRead = Array.isArray(messages) && messages.length === 2
          if (isPublished && isRead) return
          world.alarms.push(`a new stream was told ${JSON.stringify(published)} and read ${JSON.stringify(read)}`)
        })
      }
    }
  }
]

async function withStream (world: World, act: (client: HttpClient, path: string) => Promise<void>): Promise<void> {
  const [target] = world.targets
  if (target === undefined) throw new Error('there is no gateway')
  const client = new HttpClient(target)
  const path = `/v1/streams/side-${randomUUID()}`
  try {
    await client.call('PUT', path)
    await act(client, path)
  } finally {
    await client.call('DELETE', path)
    await client.close()
  }
}
