import { Registry } from 'prom-client'
import t from 'tap'
import { lagMetrics } from '../../../src/plugins/lag-figures.ts'

t.test('a scrape asks for the figures once, and the next one asks again', async (t) => {
  const registry = new Registry()
  let asked = 0
  lagMetrics(registry, () => {
    asked++
    return { isOnDuty: true, streams: [], disks: [], traffic: [], droppedSeries: asked }
  })
  for (const scrape of [1, 2]) {
    t.match(await registry.metrics(), `rabbitmq_stream_gateway_lag_series_dropped ${scrape}\n`)
    t.equal(asked, scrape)
  }
})
