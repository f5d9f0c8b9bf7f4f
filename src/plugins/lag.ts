import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Config } from '../config.ts'
import type { LagFigures, Sampler } from '../streams/index.ts'
import { lagMetrics } from './lag-figures.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** How often streams are sampled, in seconds; undefined when no stream is sampled. */
    samplingSeconds: number | undefined
  }
}

const HISTORY_MS = 2 * 3_600_000
const NOTHING: LagFigures = { isOnDuty: false, streams: [], disks: [], traffic: [], droppedSeries: 0 }

/** Samples the streams that `LAG_STREAMS` names, from when the app is ready until it closes, for the metrics. */
function lag (app: FastifyInstance, { lag: { streams, intervalSeconds, maxSeries } }: Config): void {
  const isOn = streams.length > 0
  app.decorate('samplingSeconds', isOn ? intervalSeconds : undefined)
  if (!isOn) return
  let sampler: Sampler | undefined
  lagMetrics(app.metrics, () => sampler?.figures ?? NOTHING)
  app.addHook('onReady', (done) => {
    sampler = app.broker.sampling.start({
      matches: (name) => streams.some((pattern) => pattern.matches(name)),
      intervalMs: intervalSeconds * 1000,
      maxSeries,
      historyMs: HISTORY_MS
    })
    done()
  })
  app.onShutdown('workers', async () => { await sampler?.close() })
}

export default fp<Config>(async (app, config) => lag(app, config), { name: 'lag', dependencies: ['broker', 'metrics'] })
