import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { addPushFigures } from '../../src/plugins/push-figures.ts'
import { PushFigures } from '../../src/push/figures.ts'
import { buildGateway } from '../support/gateway.ts'

const page = readFileSync('docs/operations.md', 'utf8')
// A text may stand in several lines of the source.
const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readFileSync(join('src', name), 'utf8').replace(/' \+\s+'/g, ''))
const quotations = [
  ...page
    .replace(/^```.*?^```$/gms, '')
    .replace(/`[^`\n]*`/g, '')
    .matchAll(/"([^"\n]+)"/g)
].map(([, text = '']) => text)

t.test('every line of the log that the page quotes is one', async (t) => {
  t.ok(quotations.length > 15, `${quotations.length} quotations`)
  t.same(quotations.filter((text) => !sources.some((source) => source.includes(text))), [])
})

t.test('every warning and error of the gateway is on the page', async (t) => {
  const lines = sources.flatMap((source) =>
    [...source.matchAll(/\.(?:warn|error)\(\s*\{[^}]*\},\s*'([^']+)'\s*\)/g)].map(([, text = '']) => text)
  )
  t.ok(lines.length >= 10, `${lines.length} lines`)
  t.same(lines.filter((line) => !quotations.some((text) => line.includes(text))), [])
})

t.test('every metric that the page names is one', async (t) => {
  // Some figures are there only when they are of use.
  const app = await buildGateway({
    AUTH: 'jwt', JWT_JWKS_URL: 'http://127.0.0.1:1/keys', JWT_AUDIENCE: 'gateway', LAG_STREAMS: '*'
  })
  t.teardown(async () => {
    await app.close()
  })
  addPushFigures(app.metrics, new PushFigures(), () => []) // they are there when deliveries begin
  const metrics = (await app.metrics.getMetricsAsJSON()).map(({ name }) =>
    name.replace(/^rabbitmq_stream_gateway_/, '')
  )
  const named = new Set(
    [...page.matchAll(/`([a-z]+(?:_[a-z]+)*_(?:total|bytes|seconds))`/g)].map(([, name = '']) => name)
  )
  t.ok(named.size >= 8, [...named].join(' '))
  t.same([...named].filter((name) => !metrics.includes(name)), [])
})
