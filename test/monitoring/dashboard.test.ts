import { readFileSync } from 'node:fs'
import t from 'tap'
import { asAsked, linesOf } from '../../scripts/dashboard/answers.ts'
import { pageOf } from '../../scripts/dashboard/page.ts'
import { readPanels, withEverythingChosen } from '../../scripts/dashboard/panels.ts'
import { metricsIn, RULES } from '../support/alert-rules.ts'
import { commit } from '../support/lag.ts'
import { LiveClient } from '../support/live-client.ts'
import { startPrometheus } from '../support/prometheus.ts'
import { startPushGateway } from '../support/push-gateway.ts'
import { startReceiver } from '../support/push-receiver.ts'
import { list, record } from '../support/schema-values.ts'
import { until } from '../support/until.ts'

const dashboard = record(JSON.parse(readFileSync('deploy/grafana/gateway.json', 'utf8')))
const panels = list(dashboard['panels']).map(record)
const variables = list(record(dashboard['templating'])['list']).map(record)
const targets = panels.flatMap((panel) => list(panel['targets'] ?? []).map(record).map(({ expr, legendFormat }) => ({
  title: String(panel['title']), expression: String(expr), legend: String(legendFormat)
})))
// They have something to show only when something is wrong, when a quota is set, or with other clients.
const EMPTY_WHEN_WELL = ['Refused', 'Quotas', 'Subscriptions that do not deliver', 'Live subscriptions']

t.test('every panel has something to show of a gateway that works, and every name in it is one', async (t) => {
  const gateway = await startPushGateway(t, { LAG_STREAMS: 'test-*', LAG_INTERVAL_SECONDS: '2' })
  const prometheus = await startPrometheus(t, gateway.url, RULES)
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 1, 2)
  await commit(gateway, stream, 'c', 0)
  await gateway.get('/v1/streams/test-that-is-not-there')
  const { url } = await startReceiver(t)
  await gateway.request('PUT', `/v1/streams/${stream}/subscriptions/hook`, { json: { url } })
  const live = await LiveClient.open(t, `${gateway.url}/v1/streams/${stream}/messages`)
  const { text } = await gateway.get('/metrics')
  const known = new Set([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name = '', type]) =>
    type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name]))
  for (const { title, expression, legend } of targets) {
    t.same(metricsIn(expression).filter((metric) => !known.has(metric)), [], title)
    const samples = await until(`something in ${title}: ${expression}`, async () => {
      // Rates need two scrapes, and something that happens between them.
      await gateway.publish(stream, 3)
      await gateway.get('/v1/streams/test-that-is-not-there')
      const found = await prometheus.query(asAsked(expression))
      return (found.length > 0 || EMPTY_WHEN_WELL.includes(title)) && found
    })
    for (const [, label = ''] of legend.matchAll(/\{\{(\w+)\}\}/g)) {
      t.ok(samples.every(({ labels }) => typeof labels[label] === 'string'), `${title} is told apart by ${label}`)
    }
  }
  live.close()
  const now = Math.floor(Date.now() / 1000)
  const span = { start: now - 30, end: now, step: 1 }
  for (const panel of readPanels().filter(({ title, type }) => type !== 'row' && !EMPTY_WHEN_WELL.includes(title))) {
    const lines = await linesOf(panel, prometheus, span)
    t.not(lines.length, 0, `${panel.title} can be drawn`)
    t.match(pageOf([{ panel, lines }], span), panel.type === 'timeseries' ? '<path' : panel.title)
  }
  for (const { name, query } of variables.filter(({ type }) => type === 'query')) {
    const [, series = '', label = ''] = /^label_values\((.+), (\w+)\)$/.exec(String(record(query)['query'])) ?? []
    const samples = await prometheus.query(withEverythingChosen(series))
    t.ok(samples.some(({ labels }) => typeof labels[label] === 'string'), `there is a ${String(name)} to choose`)
  }
})

t.test('no panel lies on another one, and all have a name, words about it and the chosen source of data', async (t) => {
  const taken = new Set<string>()
  for (const { id, title, description, gridPos, targets = [], datasource, type } of panels) {
    const { x, y, w, h } = record(gridPos)
    t.ok(Number(x) + Number(w) <= 24, String(title))
    for (let column = Number(x); column < Number(x) + Number(w); column++) {
      for (let line = Number(y); line < Number(y) + Number(h); line++) {
        if (taken.has(`${column} ${line}`)) t.fail(`${String(title)} lies on another panel`)
        taken.add(`${column} ${line}`)
      }
    }
    t.not(title, '', String(id))
    if (type === 'row') continue
    t.ok(description, String(title))
    for (const one of [{ datasource }, ...list(targets).map(record)]) {
      t.match(one, { datasource: { type: 'prometheus', uid: /^\$\{datasource\}$/ } }, String(title))
    }
  }
  t.equal(new Set(panels.map(({ id }) => id)).size, panels.length)
})
