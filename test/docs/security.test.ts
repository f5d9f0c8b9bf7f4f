import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { testManagementUrl, testStreamUrl } from '../support/broker.ts'
import { startGateway, type Gateway } from '../support/gateway.ts'

const page = readFileSync('docs/security.md', 'utf8')
const management = new URL(testManagementUrl())
const admin = `Basic ${Buffer.from(`${management.username}:${management.password}`).toString('base64')}`

async function administrate (method: string, path: string, body: object = {}): Promise<void> {
  const response = await fetch(management.origin + path, {
    method, headers: { authorization: admin, 'content-type': 'application/json' }, body: JSON.stringify(body)
  })
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
}

/** A gateway whose user on the broker has these permissions alone. */
async function gatewayThatMay (t: Test, ...permissions: string[]): Promise<Gateway> {
  const user = `docs-${randomUUID()}`
  await administrate('PUT', `/api/users/${user}`, { password: 'secret', tags: 'management' })
  t.teardown(async () => { await administrate('DELETE', `/api/users/${user}`) })
  const pattern = (name: string): string => permissions.includes(name) ? '.*' : '^$'
  const body = { configure: pattern('configure'), write: pattern('write'), read: pattern('read') }
  await administrate('PUT', `/api/permissions/%2f/${user}`, body)
  const url = (text: string): string => Object.assign(new URL(text), { username: user, password: 'secret' }).href
  return await startGateway(t, {
    RABBITMQ_STREAM_URL: url(testStreamUrl()), RABBITMQ_MANAGEMENT_URL: url(testManagementUrl())
  })
}

const all = await startGateway(t)
const stream = await all.newStream(t)
await all.publish(stream, 'a message')

const lines = { body: 'a line', headers: { 'content-type': 'text/plain' } }
const path = `/v1/streams/${stream}`
// By the rows of the page.
const operations: Record<string, Array<(gateway: Gateway) => Promise<number>>> = {
  'create or delete a stream': [
    async (gateway) => {
      const name = `/v1/streams/docs-${randomUUID()}`
      const { status } = await gateway.request('PUT', name)
      return status === 201 ? (await gateway.request('DELETE', name)).status : status
    }
  ],
  publish: [async (gateway) => (await gateway.request('POST', `${path}/messages/lines`, lines)).status],
  'publish under a publisher name': [
    async (gateway) =>
      (await gateway.request('POST', `${path}/messages/lines?publisher=p&firstPublishingId=1`, lines)).status
  ],
  'read, consume, store or reset an offset': [
    async (gateway) => (await gateway.get(`${path}/messages`)).status,
    async (gateway) => (await gateway.get(`${path}/consumers/c/messages`)).status,
    async (gateway) => (await gateway.request('PUT', `${path}/consumers/c/offset`, { json: { offset: 0 } })).status,
    async (gateway) =>
      (await gateway.request('POST', `${path}/consumers/c/offset/reset`, { json: { to: 'first' } })).status
  ],
  'describe a stream, look at consumers or publishers': [
    async (gateway) => (await gateway.get(path)).status,
    async (gateway) => (await gateway.get(`${path}/consumers`)).status,
    async (gateway) => (await gateway.get(`${path}/publishers`)).status
  ]
}

const rows = [...page.matchAll(/^\| (.*?) \| (.*?) ?\| (.*?) ?\| (.*?) ?\|$/gm)]
  .map(([, row = '', ...cells]) => ({ row, cells: cells.map((cell) => cell.trim()) }))
  .filter(({ row }) => row in operations)

const PERMISSIONS = ['configure', 'write', 'read']

for (const [index, missing] of PERMISSIONS.entries()) {
  const permissions = PERMISSIONS.filter((name) => name !== missing)
  t.test(`the table of permissions holds for a user with ${permissions.join(' and ')} alone`, async (t) => {
    const gateway = await gatewayThatMay(t, ...permissions)
    t.equal(rows.length, Object.keys(operations).length)
    for (const { row, cells } of rows) {
      const isRefused = cells[index] === 'yes'
      for (const operation of operations[row] ?? []) {
        const status = await operation(gateway)
        t.ok(isRefused ? status === 403 : status < 300, `${row}: ${status}`)
      }
    }
  })
}

t.test('configure alone is enough to create and delete', async (t) => {
  const gateway = await gatewayThatMay(t, 'configure')
  for (const operation of operations['create or delete a stream'] ?? []) {
    const status = await operation(gateway)
    t.ok(status < 300, String(status))
  }
})

t.test('the tag "management" is enough for lists of streams', async (t) => {
  const gateway = await gatewayThatMay(t, 'read')
  const { status, text } = await gateway.get('/v1/streams?limit=1000')
  t.equal(status, 200)
  t.match(text, stream)
})
