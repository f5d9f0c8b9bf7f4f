import { Webhook } from 'standardwebhooks'
import t, { type Test } from 'tap'
import { startPushGateway } from '../support/push-gateway.ts'
import { startReceiver } from '../support/push-receiver.ts'
import { list, record } from '../support/schema-values.ts'
import { newSource } from '../support/subscriptions.ts'
import { until } from '../support/until.ts'

const gateway = await startPushGateway(t)
const RETRY = { initialDelayMs: 100, maxDelayMs: 300, messageAttempts: 1 }
const COMMIT = { everyMs: 100 }

interface Bench {
  readonly stream: string
  readonly path: string
  readonly ask: (what: string, json?: object) => Promise<void>
}

async function bench (t: Test): Promise<Bench> {
  const { stream, path: all } = await newSource(t, gateway)
  const path = `${all}/s`
  t.teardown(async () => { await gateway.request('DELETE', path) })
  return {
    stream,
    path,
    async ask (what, json) {
      const { status, text } = await gateway.request('POST', `${path}/${what}`, { ...(json && { json }) })
      if (status !== 200) throw new Error(`${what} was answered ${status}: ${text}`)
    }
  }
}

t.test('a reset to the second message delivers it first, though its place looks like the first one\'s', async (t) => {
  const { stream, path, ask } = await bench(t)
  const receiver = await startReceiver(t)
  await gateway.publish(stream, 'a', 'b', 'c')
  await gateway.request('PUT', path, { json: { url: receiver.url, start: 'first', commit: COMMIT } })
  await receiver.received(3)
  await ask('reset', { to: { offset: 1 } })
  await receiver.received(5)
  t.same(receiver.deliveries.map(({ offset }) => offset), [0, 1, 2, 1, 2])
})

t.test('after a reset a message that is refused again has another entry, in the new generation', async (t) => {
  const { stream, path, ask } = await bench(t)
  const receiver = await startReceiver(t)
  receiver.react(({ offset }) => offset === 1 ? 422 : 204)
  await gateway.publish(stream, 'a', 'poison', 'c')
  await gateway.request('PUT', path, { json: { url: receiver.url, start: 'first', retry: RETRY, commit: COMMIT } })
  for (const rounds of [1, 2, 3]) {
    await until('all are settled', () => receiver.processed.length === 2 * rounds)
    const entries = await until('the entry is there', async () => {
      const { json } = await gateway.get(`/v1/streams/${stream}_errors/messages`)
      const messages = list(record(json)['messages'])
      return messages.length >= rounds && messages
    })
    t.same(entries.map((entry) => record(entry)['body']), Array.from({ length: rounds }, () => 'poison'))
    if (rounds < 3) await ask('reset', { to: 'first' })
  }
  const generations = receiver.deliveries.map(({ headers }) => Number(headers['delivery-generation']))
  t.same(generations, [...generations].sort((a, b) => a - b))
  t.equal(new Set(generations).size, 3)
})

t.test('while secrets are replaced under load, every delivery verifies with the one in use', async (t) => {
  const { stream, path } = await bench(t)
  const receiver = await startReceiver(t)
  const json = { url: receiver.url, start: 'first', commit: COMMIT }
  const created = record((await gateway.request('PUT', path, { json })).json)
  let installed = new Webhook(String(list(created['secrets'])[0]))
  let refused = 0
  receiver.react(({ headers, body }) => {
    if (isSignedBy(installed, headers, body)) return 204
    refused++
    return 401
  })
  let published = 0
  const publish = async (count: number): Promise<void> => {
    await gateway.publish(stream, ...Array.from({ length: count }, () => 'a'))
    published += count
  }
  for (let rotation = 0; rotation < 5; rotation++) {
    await publish(50)
    const overlap = { overlapSeconds: 600 }
    const { status, json: rotated } = await gateway.request('POST', `${path}/secrets`, { json: overlap })
    t.equal(status, 200)
    // The operator installs the new one when requests are signed with it too.
    const next = new Webhook(String(record(rotated)['secret']))
    await until('the new secret signs', async () => {
      await publish(10)
      return receiver.deliveries.slice(-1).some(({ headers, body }) => isSignedBy(next, headers, body))
    })
    installed = next
  }
  await until('all are delivered', () => receiver.processed.length === published)
  t.equal(refused, 0)
})

function isSignedBy (secret: Webhook, headers: object, body: Buffer): boolean {
  const own = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
  try {
    secret.verify(body, own)
    return true
  } catch {
    return false
  }
}
