import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { parseAllDocuments } from 'yaml'
import { OPERATIONS } from '../../scripts/docs/openapi-document.ts'
import { describeSettings, loadConfig } from '../../src/config.ts'
import { isNode, items, member, text, type Node } from './yaml-node.ts'

const FOLDER = 'deploy/kubernetes'
const files = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'))
const objects = files.flatMap((file) => parseAllDocuments(readFileSync(`${FOLDER}/${file}`, 'utf8')).map((document) => {
  if (document.errors.length > 0) throw new Error(`${file}: ${document.errors.join(' ')}`)
  return toNode(document.toJS())
}))
const dockerfile = readFileSync('Dockerfile', 'utf8')
const MIB = 1024 * 1024

function toNode (value: unknown): Node {
  if (!isNode(value)) throw new Error('a document of deploy/kubernetes is not an object')
  return value
}

function ofKind (kind: string): Node {
  const [found, ...more] = objects.filter((object) => object['kind'] === kind)
  if (found === undefined || more.length > 0) throw new Error(`${FOLDER} needs one ${kind}`)
  return found
}

const pod = member(ofKind('Deployment'), 'spec.template')
const [container = {}] = items(pod, 'spec.containers')
const variables = items(container, 'env')
const values = Object.fromEntries(variables.flatMap((variable) =>
  'value' in variable ? [[text(variable, 'name'), text(variable, 'value')]] : []))
const settings = describeSettings()
const settingOf = (name: string): string => values[name] ?? settings.find((one) => one.name === name)?.default ?? ''

t.test('every variable of the deployment is a setting, with a value that the gateway takes', async (t) => {
  const names = variables.map((variable) => text(variable, 'name'))
  t.ok(names.length >= 3, names.join(' '))
  t.same(names.filter((name) => !settings.some((setting) => setting.name === name)), [])
  t.same(loadConfig(values, () => '{"keys": []}').warnings, [])
})

t.test('the ports are those on which the image listens', async (t) => {
  const { 1: port } = /^EXPOSE (\d+)$/m.exec(dockerfile) ?? []
  t.match(dockerfile, `HTTP_HOST=0.0.0.0 HTTP_PORT=${port}`)
  const [{ name, containerPort } = {}] = items(container, 'ports')
  t.same([name, String(containerPort)], ['http', port])
  t.same(items(ofKind('Service'), 'spec.ports').map(({ targetPort }) => targetPort), ['http'])
  const [rule = {}] = items(ofKind('NetworkPolicy'), 'spec.ingress')
  t.same(items(rule, 'ports').map((one) => String(one['port'])), [port])
})

t.test('the probes ask operations of the gateway, and do not restart it when the broker is down', async (t) => {
  for (const [probe, operation] of [['livenessProbe', 'getLiveness'], ['readinessProbe', 'getReadiness']] as const) {
    t.same(member(container, `${probe}.httpGet`), {
      path: OPERATIONS.find(({ id }) => id === operation)?.path,
      port: 'http'
    })
  }
})

t.test('a pod is not killed before the gateway has ended by itself', async (t) => {
  const grace = Number(member(pod, 'spec')['terminationGracePeriodSeconds'])
  // main.ts ends the process ten seconds after the drain timeout.
  t.ok(grace * 1000 > Number(settingOf('DRAIN_TIMEOUT_MS')) + 10_000, `${grace} seconds`)
  const { periodSeconds, failureThreshold } = member(container, 'readinessProbe')
  t.ok(Number(periodSeconds) * Number(failureThreshold) > 0)
  t.ok(Number(settingOf('DRAIN_DELAY_MS')) >= 1000, 'the Service needs time to notice')
})

t.test('the limit of memory has room for the budgets', async (t) => {
  const budgets = ['PUBLISH_BUDGET_BYTES', 'READ_BUDGET_BYTES', 'HTTP_BODY_BUDGET_BYTES'].map(settingOf).map(Number)
  const process = 180 * MIB
  const needed = (budgets.reduce((sum, bytes) => sum + bytes, process)) * 1.25
  const { memory } = member(container, 'resources.limits')
  t.match(memory, /^\d+Mi$/)
  t.ok(parseInt(String(memory)) * MIB >= needed, `${String(memory)}, ${Math.ceil(needed / MIB)}Mi are needed`)
})

t.test('everything selects the pods of the deployment', async (t) => {
  const labels = member(pod, 'metadata.labels')
  t.same(member(ofKind('Deployment'), 'spec.selector.matchLabels'), labels)
  t.same(member(ofKind('Service'), 'spec.selector'), labels)
  t.same(member(ofKind('NetworkPolicy'), 'spec.podSelector.matchLabels'), labels)
  t.same(member(ofKind('PodDisruptionBudget'), 'spec.selector.matchLabels'), labels)
})

t.test('the page names every file and what the deployment needs', async (t) => {
  const page = readFileSync('docs/kubernetes.md', 'utf8')
  for (const file of files) t.match(page, `${FOLDER}/${file}`)
  for (const variable of variables.filter((one) => 'valueFrom' in one)) {
    const { name, key } = member(variable, 'valueFrom.secretKeyRef')
    t.match(page, `secret generic ${String(name)}`)
    t.match(page, `--from-literal=${String(key)}=`)
  }
})
