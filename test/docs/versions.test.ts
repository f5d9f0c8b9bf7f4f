import { readFileSync } from 'node:fs'
import t from 'tap'
import { SERIES } from '../../scripts/broker/roots.mjs'
import { getJson, startGatewayProcess } from './support.ts'

const page = readFileSync('docs/rabbitmq-versions.md', 'utf8')
const ci = readFileSync('.ci/run', 'utf8')
const { engines } = JSON.parse(readFileSync('package.json', 'utf8'))
const table = page.matchAll(/^\| (\d+\.\d+)\.(\d+) \| (.*) \|$/gm)
const rows = new Map([...table].map(([, series = '', patch, runs = '']) => [series, { patch: Number(patch), runs }]))

t.test('the table has every RabbitMQ that CI runs, and no other', async (t) => {
  const [oldest = '', ...newer] = SERIES
  t.same([...rows.keys()], SERIES)
  t.match(rows.get(oldest)?.runs, 'every test')
  t.match(ci, "step 'tests' npm test\n", 'without a version, tests have the oldest one')
  t.same([...new Set([...ci.matchAll(/TEST_RABBITMQ=(\S+)/g)].map(([, series]) => series))], newer)
})

t.test('the table says what CI runs on the newer RabbitMQ', async (t) => {
  const runs = SERIES.slice(1).map((series) => rows.get(series)?.runs ?? '').join(' ')
  const [, folders = ''] = /find (test\/\S+ test\/\S+) -name/.exec(ci) ?? []
  t.equal(folders.split(' ').filter((folder) => runs.includes(`\`${folder}/\``)).length, 2, folders)
  const [, faults = ''] = /test\/faults\/\{([^}]+)\}/.exec(ci) ?? []
  const inWords = ['restart', 'leader', 'cluster', 'disk-alarm', 'rabbitmq-users', 'rabbitmq-logins', 'super-streams']
  t.same(faults.split(','), inWords, 'the row names them')
  t.equal(ci.includes('test/push/*.test.ts'), runs.includes('`test/push/`'))
  t.equal(ci.includes('test/faults/push-{takeover,broker,cluster}.test.ts'), runs.includes('push subscriptions'))
})

t.test('the broker of this run is the one of the table, or a later patch release', async (t) => {
  const { brokerVersion } = await getJson(`${await startGatewayProcess(t)}/health/ready`)
  const [, series = '', patch] = /^(\d+\.\d+)\.(\d+)/.exec(brokerVersion) ?? []
  const row = rows.get(series)
  if (row === undefined) return t.comment(`${brokerVersion} is a RabbitMQ of whoever runs this test`)
  t.ok(Number(patch) >= row.patch, brokerVersion)
})

t.test('the Node.js versions are those of package.json and of the image', async (t) => {
  const [, oldest] = /^>=(\S+)$/.exec(engines.node) ?? []
  t.match(page, `| ${oldest} and newer |`)
  const [, image] = /^FROM node:(\d+)/m.exec(readFileSync('Dockerfile', 'utf8')) ?? []
  t.match(page, `| ${image} | the image`)
})
