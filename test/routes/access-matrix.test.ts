import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import { hashOfKey, makeKey } from '../../src/access/keys/key.ts'
import type { Answer, RequestOptions } from '../support/gateway.ts'
import { NEEDS, type Verb } from '../support/operation-needs.ts'
import { startPushGateway } from '../support/push-gateway.ts'
import { list, record } from '../support/schema-values.ts'

// Every operation of the document, with every kind of caller. What an operation needs is written down here once more:
// a wrong row of the gateway's own table cannot go unnoticed, and an operation that is missing here fails.

const PUBLISHES = ['Messages', 'Raw', 'Lines', 'Events']
const NAMES_PUBLISHER = PUBLISHES.flatMap((what) => [`publish${what}`, `publishSuperStream${what}`])
const NAMES_CONSUMER = [
  'storeOffset', 'readAsConsumer', 'resetOffset', 'storeSuperStreamOffsets', 'readSuperStreamAsConsumer',
  'resetSuperStreamOffsets', 'putSubscription', 'putSuperStreamSubscription'
]
// HEAD would commit messages that no client has seen.
const READS_OF_CONSUMERS = ['readAsConsumer', 'readSuperStreamAsConsumer']

const BODIES: Readonly<Record<string, RequestOptions>> = {
  createSuperStream: { json: { partitions: 1 } },
  publishMessages: { json: { messages: [{ body: 1 }] } },
  publishRaw: { body: 'a', headers: { 'content-type': 'text/plain' } },
  publishEvents: { body: '[]', headers: { 'content-type': 'application/cloudevents-batch+json' } },
  publishSuperStreamEvents: { body: '[]', headers: { 'content-type': 'application/cloudevents-batch+json' } },
  publishSuperStreamMessages: { json: { messages: [{ body: 1 }] } },
  publishSuperStreamRaw: { body: 'a', headers: { 'content-type': 'text/plain' } },
  publishSuperStreamLines: { body: 'a\n', headers: { 'content-type': 'text/plain' } },
  publishLines: { body: 'a\n', headers: { 'content-type': 'text/plain' } },
  storeOffset: { json: { offset: 0 } },
  resetOffset: { json: { to: 'first' } },
  storeSuperStreamOffsets: { json: { offsets: { 'm-storeSuperStreamOffsets-0': 0 } } },
  resetSuperStreamOffsets: { json: { to: 'first' } },
  putSubscription: { json: { url: 'https://example.com/', consumer: 'mine', onFailure: 'drop' } },
  patchSubscription: { json: {} },
  resetSubscription: { json: { to: 'first' } },
  skipMessage: { json: { offset: 0 } },
  putSuperStreamSubscription: { json: { url: 'https://example.com/', consumer: 'mine', onFailure: 'drop' } },
  patchSuperStreamSubscription: { json: {} },
  resetSuperStreamSubscription: { json: { to: 'first' } },
  skipSuperStreamMessage: { json: { offset: 0, partition: 'm' } }
}

const VERBS: readonly Verb[] = ['configure', 'write', 'read', 'reset', 'monitor']
const prefix = `team-${randomUUID().slice(0, 8)}-`
const onStreams = (pattern: string, host = '*') => VERBS.map((verb) => `${verb}:${host}/${pattern}`)
const ours = onStreams(`${prefix}m*`)

interface Kind {
  readonly name: string
  readonly authorization: string | undefined
  /** On the streams of the test; `unknown`: nobody is known by the credential. */
  readonly may: readonly Verb[] | 'unknown'
}

const entries: object[] = []

/** A caller with a key of its own. */
function withKey (name: string, may: Kind['may'], entry: object): Kind {
  const { id, key } = makeKey()
  entries.push({ id, name, hash: `sha256:${hashOfKey(key)}`, scopes: ours, ...entry })
  return { name, authorization: `Bearer ${key}`, may }
}

const hour = 3_600_000
const at = (ms: number) => new Date(Date.now() + ms).toISOString()
const right = withKey('right', VERBS, { consumers: ['mine'], publishers: ['mine'] })
const otherConsumer = withKey('other consumer', VERBS, { consumers: ['other*', 'Mine', 'mine?'] })
const otherPublisher = withKey('other publisher', VERBS, { publishers: ['other*', 'Mine', 'mine?'] })
const { key: unknownKey } = makeKey()
const rightKey = right.authorization?.slice('Bearer '.length) ?? ''
const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`

const KINDS: readonly Kind[] = [
  { name: 'nobody', authorization: undefined, may: 'unknown' },
  { name: 'an unknown key', authorization: `Bearer ${unknownKey}`, may: 'unknown' },
  { name: 'a key with another end', authorization: `Bearer ${rightKey.slice(0, -1)}_`, may: 'unknown' },
  { name: 'a key and more', authorization: `Bearer ${rightKey}0`, may: 'unknown' },
  { name: 'the beginning of a key', authorization: 'Bearer sgw_', may: 'unknown' },
  { name: 'the hash of a key', authorization: `Bearer sgw_${hashOfKey(rightKey)}`, may: 'unknown' },
  { name: 'another scheme', authorization: `Digest ${rightKey}`, may: 'unknown' },
  { name: 'no scheme', authorization: rightKey, may: 'unknown' },
  { name: 'a token', authorization: 'Bearer eyJhbGciOiJub25lIn0.e30.', may: 'unknown' },
  { name: 'a user of RabbitMQ', authorization: basic('guest', 'guest'), may: 'unknown' },
  { name: 'Basic that is not base64', authorization: 'Basic !', may: 'unknown' },
  withKey('expired', 'unknown', { expires: at(-hour) }),
  withKey('not yet valid', 'unknown', { notBefore: at(hour) }),
  withKey('disabled', 'unknown', { disabled: true }),
  ...VERBS.map((verb) => withKey(`only ${verb}`, [verb], { scopes: [`${verb}:*/${prefix}m*`] })),
  withKey('other stream', ['monitor'], { scopes: onStreams(`${prefix}other`) }),
  withKey('the name without the pattern', ['monitor'], { scopes: onStreams('m*') }),
  withKey('other case', ['monitor'], { scopes: onStreams(`${prefix}M*`) }),
  withKey('other virtual host', [], { scopes: onStreams('*', 'other') }),
  withKey('nothing', [], { scopes: [] }),
  otherConsumer,
  otherPublisher,
  right,
  { name: 'right, by Basic', authorization: basic('anything', rightKey), may: VERBS }
]

const gateway = await startPushGateway(t, {
  AUTH: 'api-keys', API_KEYS: JSON.stringify({ keys: entries }), STREAM_NAME_PATTERN: `${prefix}{name}`
})
const operations = Object.entries(record(gateway.app.swagger()['paths'])).flatMap(([path, methods]) =>
  Object.entries(record(methods)).map(([method, operation]) => ({
    method: methodOf(method), path, id: String(record(operation)['operationId']), operation: record(operation)
  }))
)

function methodOf (name: string): 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE' {
  const method = (['GET', 'PUT', 'POST', 'PATCH', 'DELETE'] as const).find((method) => method === name.toUpperCase())
  if (method === undefined) throw new Error(`the document has the method ${name}`)
  return method
}

async function ask (kind: Kind, method: Parameters<typeof gateway.request>[0], path: string, options: RequestOptions) {
  const { authorization } = kind
  const headers = { ...options.headers, ...(authorization !== undefined && { authorization }) }
  return await gateway.request(method, path, { ...options, headers })
}

function expected (id: string, kind: Kind): 'served' | 401 | 403 {
  const need = NEEDS[id]
  if (need === 'open') return 'served'
  if (kind.may === 'unknown') return 401
  if (need === 'known') return 'served'
  if (NAMES_CONSUMER.includes(id) && kind === otherConsumer) return 403
  if (NAMES_PUBLISHER.includes(id) && kind === otherPublisher) return 403
  const { may } = kind
  const has = (verb: Verb): boolean => may.includes(verb)
  if (need === undefined) throw new Error(`nothing is expected of ${id}`)
  return ('any' in need ? need.any.some(has) : need.every(has)) ? 'served' : 403
}

function checkAnswer (t: Test, answer: Answer, want: ReturnType<typeof expected>, where: string): void {
  if (want === 'served') {
    t.ok(answer.status < 500 && answer.status !== 401 && answer.status !== 403, `${where}: ${answer.status}`)
  } else {
    t.equal(answer.status, want, where)
    t.match(answer.json, { code: want === 401 ? 'unauthorized' : 'access_refused', sideEffects: 'none' }, where)
  }
}

t.test('every operation has its caller, and no other', async (t) => {
  t.same(operations.map(({ id }) => id).sort(), Object.keys(NEEDS).sort())
  for (const { method, path, id } of operations) {
    const stream = `m-${id}`
    const kindOfStream = path.includes('{superStream}') ? 'super-streams' : 'streams'
    const json = kindOfStream === 'streams' ? {} : { partitions: 1 }
    await ask(right, 'PUT', `/v1/${kindOfStream}/${stream}`, { json })
    await ask(right, 'POST', `/v1/${kindOfStream}/${stream}/messages/raw`, { body: 'a' })
    const url = path.replace('{stream}', stream).replace('{superStream}', stream).replace('{consumer}', 'mine')
      .replace('{publisher}', 'mine').replace('{offset}', '0').replace('{code}', 'unauthorized')
      .replace('{subscription}', 'a').replace('{redrive}', '1')
    for (const kind of KINDS) {
      const query = NAMES_PUBLISHER.includes(id) && kind === otherPublisher ? '?publisher=mine' : ''
      const answer = await ask(kind, method, url + query, BODIES[id] ?? {})
      checkAnswer(t, answer, expected(id, kind), `${id} by ${kind.name}`)
      if (method !== 'GET' || READS_OF_CONSUMERS.includes(id)) continue
      const head = await ask(kind, 'HEAD', url, {})
      t.equal(head.status, answer.status, `HEAD of ${id} by ${kind.name}`)
    }
    await ask(right, 'DELETE', `/v1/${kindOfStream}/${stream}`, {})
  }
})

t.test('the document says what an operation needs', async (t) => {
  for (const { id, operation } of operations) {
    const schemes = list(operation['security']).flatMap((scheme) => Object.keys(record(scheme)))
    t.same(schemes, NEEDS[id] === 'open' ? [] : ['bearer', 'basic', 'certificate'], id)
  }
})

t.test('a name that the caller may not see is refused alike, whether it exists or not', async (t) => {
  const other = withoutId(await ask(otherStreamKind(), 'GET', '/v1/streams/m-there', {}))
  await ask(right, 'PUT', '/v1/streams/m-there', {})
  t.same(withoutId(await ask(otherStreamKind(), 'GET', '/v1/streams/m-there', {})), other)
  t.match(other, { detail: 'the caller has no "read" or "write" on the stream "m-there"' })
  await ask(right, 'DELETE', '/v1/streams/m-there', {})
})

t.test('no spelling of a name reaches a stream that its caller may not use', async (t) => {
  await ask(right, 'PUT', '/v1/streams/mine%2Fa', {})
  const only = { name: 'only read', authorization: byName('only read'), may: [] }
  t.equal((await ask(only, 'GET', '/v1/streams/mine%2Fa/messages', {})).status, 200)
  const spellings = [
    'other', 'M-a', 'Mine%2Fa', '%4Dine%2Fa', 'x%2F..%2Fmine%2Fa', '..%2Fmine%2Fa', '%252e%252e%252fmine%252fa',
    '%20mine%2Fa', '%EF%BD%8Dine%2Fa', '%D0%BCine%2Fa', '%E2%93%9Cine%2Fa'
  ]
  for (const name of spellings) {
    const answer = await ask(only, 'GET', `/v1/streams/${name}/messages`, {})
    t.equal(answer.status, 403, name)
  }
  for (const name of ['%00mine', 'mine%00', 'm%0Ax', '.', '%2E%2E']) {
    const { status } = await ask(only, 'GET', `/v1/streams/${name}/messages`, {})
    t.ok([400, 403, 404].includes(status), `${name}: ${status}`)
  }
  await ask(right, 'DELETE', '/v1/streams/mine%2Fa', {})
})

t.test('a credential in a query is no credential, and is not in the log', async (t) => {
  for (const name of ['access_token', 'api_key', 'token', 'authorization']) {
    const answer = await gateway.get(`/v1/whoami?${name}=${rightKey}`)
    t.equal(answer.status, 401, name)
  }
  t.notMatch(JSON.stringify(gateway.log), rightKey)
})

function byName (name: string): string | undefined {
  return KINDS.find((kind) => kind.name === name)?.authorization
}

function otherStreamKind (): Kind {
  return { name: 'other stream', authorization: byName('other stream'), may: [] }
}

function withoutId ({ json }: Answer): object {
  return { ...record(json), requestId: undefined }
}
