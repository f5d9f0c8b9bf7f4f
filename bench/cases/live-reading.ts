import { waitFor } from '../../scripts/setup/process.mjs'
import type { Side } from '../compare.ts'
import type { LiveCatchUpConfig } from '../workers/live-catch-up.ts'
import type { LiveCrawlersConfig } from '../workers/live-crawlers.ts'
import type { Case } from './case.ts'
import { compareByCpu, liveSide } from './live.ts'
import { envelopes, lines } from './publish.ts'
import { filled, readSide } from './read.ts'

const READERS = 900
const CRAWLERS = 100
const CRAWL_BYTES_PER_SECOND = 10_000

// One that crawls is not cut off while it waits for its next round.
const STALL = { timeoutMs: 30_000, everyMs: 100 }
const CRAWL_SETTINGS = { LIVE_SEND_TIMEOUT_MS: '3600000' }

/** Readers that do not keep up with their stream, and a reader that catches up. */
export const liveReadingCases: readonly Case[] = [
  {
    name: 'live-crawl',
    workload: `${READERS} live answers, 20 messages of 1 kB a chunk, and ${CRAWLERS} more that are read at 10 kB/s: ` +
      'messages to those that are read, for each CPU second',
    baseline: 'the same without those that crawl',
    async run (bench, amount) {
      const publisher = await bench.gateway()
      const gateway = await bench.gateway(CRAWL_SETTINGS)
      const work = { messages: 20, bodyBytes: 1000 }
      // More than the buffers of the operating system take.
      const { stream } = await filled(bench, 10_000, lines(500, 1000))
      const readers = await liveSide(bench, gateway, publisher, { ...work, stream }, READERS)
      const crawlers = await bench.worker('live-crawlers', {
        port: gateway.port, stream, connections: CRAWLERS, bytesPerSecond: CRAWL_BYTES_PER_SECOND
      } satisfies LiveCrawlersConfig)
      await waitFor(async () => await gateway.metric('live_write_stalls_total') >= CRAWLERS, STALL)
      const candidate: Side = {
        ...readers,
        async round (seconds) {
          const [sample] = await Promise.all([readers.round(seconds), crawlers.round(seconds)])
          return sample
        }
      }
      const baseline = await liveSide(bench, await bench.gateway(CRAWL_SETTINGS), publisher, work, READERS)
      return await compareByCpu(candidate, baseline, 0.95, amount)
    }
  },
  {
    name: 'live-catch-up',
    workload: 'one client that follows a full stream from its beginning, as NDJSON, 100 B JSON bodies; messages for ' +
      'each CPU second',
    baseline: 'polls of 1,000 messages, following nextOffset, as in read-json',
    async run (bench, amount) {
      const gateway = await bench.gateway()
      const { stream, messages } = await filled(bench, 1_000_000, envelopes(5000, 100))
      const worker = await bench.worker('live-catch-up', {
        port: gateway.port, stream, messages
      } satisfies LiveCatchUpConfig)
      const candidate: Side = {
        processes: { gateway: gateway.pid, broker: bench.broker.pid, load: worker.pid },
        pid: gateway.pid,
        round: (seconds) => worker.round(seconds)
      }
      const baseline = await readSide(bench, await bench.gateway(), [stream], 'messages?limit=1000')
      return await compareByCpu(candidate, baseline, 0.8, amount)
    }
  }
]
