import { createRequire } from 'node:module'
import t from 'tap'
import { startGateway } from '../support/gateway.ts'

const { cache } = createRequire(import.meta.url)
// prom-client loads the API of OpenTelemetry, which does nothing alone.
const loaded = () => Object.keys(cache).filter((path) => /@opentelemetry\/(?:sdk|otlp|exporter|resources)/.test(path))

t.test('without TRACING nothing of OpenTelemetry is loaded, with it it is', async (t) => {
  const gateway = await startGateway(t)
  await gateway.publish(await gateway.newStream(t), 1)
  t.same(loaded(), [])
  await startGateway(t, { TRACING: 'otlp' })
  t.ok(loaded().length > 0)
})
