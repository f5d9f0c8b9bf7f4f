import { readFileSync } from 'node:fs'
import t from 'tap'
import { parse } from 'yaml'
import { RULES_FOLDER, rules } from '../support/alert-rules.ts'
import { promtool } from '../support/prometheus.ts'
import { list, record } from '../support/schema-values.ts'

const alerts = rules.filter(({ isAlert }) => isAlert).map(({ name }) => name)
const cases = list(record(parse(readFileSync(`${RULES_FOLDER}/alerts.test.yaml`, 'utf8')))['tests'])
  .flatMap((one) => list(record(one)['alert_rule_test'])).map(record)
const page = readFileSync('docs/monitoring.md', 'utf8')

t.test('the rules are valid', async (t) => {
  const { status, text } = await promtool(['check', 'rules', 'alerts.yaml'], RULES_FOLDER)
  t.equal(status, 0, text)
  t.match(text, /SUCCESS: \d+ rules found/)
})

t.test('each alert fires when it should, and only then', async (t) => {
  const { status, text } = await promtool(['test', 'rules', 'alerts.test.yaml'], RULES_FOLDER)
  t.equal(status, 0, text)
})

t.test('each alert has a case in which it fires and one in which it does not', async (t) => {
  t.ok(alerts.length > 15, `${alerts.length} alerts`)
  const named = (isFiring: boolean) => new Set(cases
    .filter(({ exp_alerts: expected }) => (list(expected).length > 0) === isFiring)
    .map(({ alertname }) => String(alertname)))
  t.same([...named(true)].sort(), [...alerts].sort())
  t.same([...named(false)].sort(), [...alerts].sort())
})

t.test('the page says of each alert what it means and what to do, and of no other', async (t) => {
  const rows = [...page.matchAll(/^\| `([A-Z][A-Za-z]+)` \| (.+) \| (.+) \|$/gm)]
  t.same(rows.map(([, name]) => name).sort(), [...alerts].sort())
})

t.test('a rule that is wrong fails', async (t) => {
  const { status } = await promtool(['check', 'rules', 'alerts.test.yaml'], RULES_FOLDER)
  t.not(status, 0)
})
