import { readFileSync } from 'node:fs'
import t from 'tap'
import { isProblemCode } from '../../src/api/problems.ts'
import { startPushGateway } from '../support/push-gateway.ts'

const page = readFileSync('docs/monitoring.md', 'utf8')
// Of Prometheus.
const OTHER_NAMES = ['metric_relabel_configs']

t.test('every metric that the page names is one', async (t) => {
  const { app } = await startPushGateway(t, { LAG_STREAMS: '*' })
  const metrics = (await app.metrics.getMetricsAsJSON()).map(({ name }) => name.replace('rabbitmq_stream_gateway_', ''))
  const named = new Set([...page.matchAll(/`([a-z]+(?:_[a-z]+)+)`/g)].map(([, name = '']) => name))
  t.ok(named.size >= 14, [...named].join(' '))
  t.same([...named].filter((name) => {
    return !metrics.includes(name.replace(/_(bucket|sum|count)$/, '')) && !isProblemCode(name) &&
      !OTHER_NAMES.includes(name)
  }), [])
})
