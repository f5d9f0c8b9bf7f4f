import t, { type Test } from 'tap'
import { startPrivateBroker } from '../support/broker.ts'
import { exactly } from '../support/exactly.ts'
import { startGateway, type Answer } from '../support/gateway.ts'
import { QUICKLY_IDLE, untilNothingIsLeft } from '../support/leftovers.ts'
import { until } from '../support/until.ts'
import { field } from '../support/workload/index.ts'

t.setTimeout(240_000)

const { node } = await startPrivateBroker(t)
await node.ctl('add_user', 'gateway', 'first password')
await node.ctl('set_permissions', 'gateway', '.*', '.*', '.*')
const gateway = await startGateway(t, {
  RABBITMQ_STREAM_URL: `rabbitmq-stream://gateway:first%20password@127.0.0.1:${node.streamPort}/%2f`,
  RABBITMQ_MANAGEMENT_URL: node.managementUrl,
  RABBITMQ_MAX_RECONNECT_DELAY_MS: '200',
  ...QUICKLY_IDLE,
  PUBLISHER_IDLE_MS: '15000' // longer than it takes to change a permission
})

async function permit (configure: string, write: string, read: string): Promise<void> {
  await node.ctl('set_permissions', 'gateway', configure, write, read)
}

// How many publishes were answered as confirmed, by stream.
const confirmed = new Map<string, number>()

/** Publishes a line. @throws when it is refused and may still be stored: no fault of this file leaves a doubt */
async function publish (stream: string, query = ''): Promise<Answer> {
  const answer = await gateway.request('POST', `/v1/streams/${stream}/messages/lines${query}`, { body: 'a line' })
  if (answer.status === 200) confirmed.set(stream, (confirmed.get(stream) ?? 0) + 1)
  else if (field(answer.json, 'sideEffects') !== 'none') throw new Error(`a refusal leaves a doubt: ${answer.text}`)
  return answer
}

/** What was refused is not in the streams, and what was confirmed is, once. */
async function holdsWhatWasConfirmed (t: Test, ...streams: string[]): Promise<void> {
  for (const stream of streams) {
    const { status, text } = await gateway.get(`/v1/streams/${stream}/messages/lines`)
    t.same([status, text], [200, 'a line\n'.repeat(confirmed.get(stream) ?? 0)])
  }
}

/** A stream after a publisher, a reader and a consumer of the gateway have used it. */
async function usedStream (t: Test): Promise<string> {
  const stream = await gateway.newStream(t)
  t.match((await publish(stream)).json, { confirmed: 1 })
  t.match((await gateway.get(`/v1/streams/${stream}/messages`)).json, { messages: exactly({ offset: 0 }) })
  const stored = await gateway.request('PUT', `/v1/streams/${stream}/consumers/c/offset`, { json: { offset: 0 } })
  t.match(stored.status, 200)
  return stream
}

async function closeConnections (): Promise<void> {
  const connections: unknown = await node.api('/api/stream/connections')
  const names = JSON.stringify(connections).match(/"name":"127[^"]+"/g) ?? []
  const { origin } = new URL(node.managementUrl)
  const authorization = `Basic ${Buffer.from('guest:guest').toString('base64')}`
  for (const name of names) {
    const encoded = encodeURIComponent(JSON.parse(`{${name}}`).name)
    await fetch(`${origin}/api/stream/connections/%2f/${encoded}`, { method: 'DELETE', headers: { authorization } })
  }
}

t.test('without the permission to write, publishing is refused and everything else works', async (t) => {
  const [stream, unused] = [await usedStream(t), await gateway.newStream(t)]
  await permit('.*', '^$', '.*')
  for (const query of ['', '?publisher=p&firstPublishingId=1']) {
    const refusal = { status: 403, code: 'access_refused', sideEffects: 'none', retryable: false }
    t.match((await publish(unused, query)).json, refusal)
  }
  // The broker checks the permission when a publisher is declared.
  t.match((await publish(stream)).json, { confirmed: 1 }, 'a publisher that exists still works')
  await holdsWhatWasConfirmed(t, stream)
  t.match((await gateway.get('/health/ready')).status, 200)
  await permit('.*', '.*', '.*')
  for (const query of ['', '?publisher=p&firstPublishingId=1']) {
    t.match((await publish(unused, query)).json, { confirmed: 1 })
  }
  await holdsWhatWasConfirmed(t, stream, unused)
})

t.test('without the permission to read, reads and offsets are refused and publishing works', async (t) => {
  const [stream, unused] = [await usedStream(t), await gateway.newStream(t)]
  await permit('.*', '.*', '^$')
  const paths = [
    `${unused}/messages`,
    `${unused}/messages?offset=next&wait=5`,
    `${unused}/consumers/c/messages`,
    `${stream}/consumers/c/offset`,
    `${unused}`
  ]
  for (const path of paths) {
    const { json } = await gateway.get(`/v1/streams/${path}`)
    t.match(json, { status: 403, code: 'access_refused', sideEffects: 'none' }, path)
  }
  for (const name of [stream, unused]) {
    const storing = await gateway.request('PUT', `/v1/streams/${name}/consumers/c/offset`, { json: { offset: 0 } })
    t.match(storing.json, { status: 403, code: 'access_refused' }, 'a store that the broker drops without a word')
  }
  t.match((await publish(unused)).json, { confirmed: 1 })
  await permit('.*', '.*', '.*')
  t.match((await gateway.get(`/v1/streams/${unused}/messages`)).json, { messages: exactly({ offset: 0 }) })
  t.match((await gateway.get(`/v1/streams/${stream}/consumers/c/offset`)).json, { storedOffset: 1 })
  await holdsWhatWasConfirmed(t, stream, unused)
})

t.test('without the permission to configure, streams are neither created nor deleted', async (t) => {
  const stream = await usedStream(t)
  await permit('^$', '.*', '.*')
  t.match((await gateway.request('PUT', `/v1/streams/${stream}-new`)).json, { status: 403, sideEffects: 'none' })
  t.match((await gateway.request('DELETE', `/v1/streams/${stream}`)).json, { status: 403, sideEffects: 'none' })
  t.match((await publish(stream)).json, { confirmed: 1 })
  await permit('.*', '.*', '.*')
  await holdsWhatWasConfirmed(t, stream)
})

const refusals: ReadonlyArray<{ what: string, revoke: () => Promise<unknown>, restore: () => Promise<unknown> }> = [
  {
    what: 'a password that was changed',
    revoke: async () => await node.ctl('change_password', 'gateway', 'second password'),
    restore: async () => await node.ctl('change_password', 'gateway', 'first password')
  },
  {
    what: 'a user that was deleted',
    revoke: async () => await node.ctl('delete_user', 'gateway'),
    restore: async () => {
      await node.ctl('add_user', 'gateway', 'first password')
      await permit('.*', '.*', '.*')
    }
  },
  {
    what: 'a virtual host that the user may no longer use',
    revoke: async () => await node.ctl('clear_permissions', 'gateway'),
    restore: async () => { await permit('.*', '.*', '.*') }
  }
]
for (const { what, revoke, restore } of refusals) {
  t.test(`${what} is a fault of the gateway, not of its clients, until it is put right`, async (t) => {
    const stream = await usedStream(t)
    await revoke()
    await until('the connections are lost', async () => {
      await closeConnections() // the management API learns of them a little later
      return gateway.app.broker.stats().connections === 0
    })
    const requests = [
      async () => await publish(stream),
      async () => await publish(stream, '?publisher=p&firstPublishingId=1'),
      async () => await gateway.get(`/v1/streams/${stream}/messages?wait=5`)
    ]
    for (const ask of requests) {
      t.match((await ask()).json, { status: 502, code: 'broker_protocol_error', sideEffects: 'none' })
    }
    const ready = await gateway.get('/health/ready')
    t.match(ready.json, { status: 503, code: 'broker_unavailable', detail: /user name or the password|virtual host/ })
    t.notMatch(ready.text, /password"|first password|second password/, 'the answer does not show the credentials')
    await restore()
    await until('ready again', async () => (await gateway.get('/health/ready')).status === 200)
    const again = await until('published again', async () => {
      const answer = await publish(stream)
      return answer.status === 200 ? answer : undefined
    })
    t.match(again.json, { confirmed: 1 })
    await holdsWhatWasConfirmed(t, stream)
  })
}

t.test('nothing is left over', async (t) => {
  await untilNothingIsLeft(gateway, 30_000)
  t.notMatch(JSON.stringify(gateway.log), /first password|second password|first%20password/)
})
