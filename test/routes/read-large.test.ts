import t from 'tap'
import { startGateway } from '../support/gateway.ts'

const gateway = await startGateway(t)
const KIB = 1024

async function store (stream: string, body: string, contentType = 'text/plain'): Promise<void> {
  const { status } = await gateway.request('POST', `/v1/streams/${stream}/messages/raw`, {
    body, headers: { 'content-type': contentType }
  })
  if (status !== 200) throw new Error(`publishing answered ${status}`)
}

t.test('an answer that grows beyond twice maxBytes ends earlier, and nothing is missed', async (t) => {
  const stream = await gateway.newStream(t)
  // As JSON six times as long.
  for (let n = 0; n < 6; n++) await store(stream, '\u0001'.repeat(150 * KIB))
  for (const accept of ['application/json', 'application/x-ndjson']) {
    const offsets: number[] = []
    for (let offset = 0, isAtEnd = false; !isAtEnd;) {
      const { text, headers, status } = await gateway.request(
        'GET', `/v1/streams/${stream}/messages?offset=${offset}&maxBytes=${1024 * KIB}`, { headers: { accept } }
      )
      t.equal(status, 200)
      t.ok(text.length <= 2 * 1024 * KIB + 6 * 512, `${text.length} bytes`)
      const messages = accept === 'application/json'
        ? JSON.parse(text).messages
        : text.split('\n').slice(0, -1).map((line) => JSON.parse(line))
      for (const message of messages) {
        t.ok(message.body === '\u0001'.repeat(150 * KIB))
        offsets.push(message.offset)
      }
      offset = Number(headers['stream-next-offset'])
      isAtEnd = headers['stream-end-of-stream'] === 'true'
      t.equal(offset, (offsets.at(-1) ?? 0) + 1)
      t.match(headers.link, `?offset=${offset}&`)
      if (accept === 'application/json') t.match(JSON.parse(text), { nextOffset: offset, endOfStream: isAtEnd })
    }
    t.same(offsets, [0, 1, 2, 3, 4, 5], 'each once')
  }
})

t.test('a consumer that stores by itself stores no more than it was sent', async (t) => {
  const stream = await gateway.newStream(t)
  for (let n = 0; n < 4; n++) await store(stream, '\u0001'.repeat(150 * KIB))
  const seen: number[] = []
  for (let polls = 0; polls < 20 && seen.length < 4; polls++) {
    const query = `autoCommit=true&maxBytes=${600 * KIB}`
    const { text } = await gateway.get(`/v1/streams/${stream}/consumers/c/messages?${query}`)
    const json = JSON.parse(text)
    for (const { offset } of json.messages) if (!seen.includes(offset)) seen.push(offset)
    if (json.messages.length > 0) t.equal(json.nextOffset, json.messages.at(-1).offset + 1)
  }
  t.same(seen, [0, 1, 2, 3])
})

t.test('one message is returned however large its text becomes, by every route', async (t) => {
  const stream = await gateway.newStream(t)
  const body = '\u0001'.repeat(900 * KIB)
  await store(stream, body)
  const path = `/v1/streams/${stream}/messages`
  t.ok(JSON.parse((await gateway.get(`${path}?maxBytes=1`)).text).messages[0].body === body)
  t.ok(JSON.parse((await gateway.get(`${path}/0`)).text).body === body)
  t.ok((await gateway.get(`${path}/0/raw`)).text === body)
  t.ok((await gateway.get(`${path}/lines`)).text === `${body}\n`)
  const head = await gateway.request('HEAD', path)
  t.match(head, { status: 200, text: '' })
  t.ok(Number(head.headers['content-length']) > 6 * body.length, 'HEAD says how long it is')
})

t.test('a large JSON body is returned as it was stored, and one that is not JSON as text', async (t) => {
  const stream = await gateway.newStream(t)
  const json = `{"a":[${'1.0,'.repeat(100 * KIB)}2]}`
  await store(stream, json, 'application/json')
  await store(stream, json.slice(0, -1), 'application/json')
  const { text } = await gateway.request('GET', `/v1/streams/${stream}/messages`, {
    headers: { accept: 'application/x-ndjson' }
  })
  const [first = '', second = ''] = text.split('\n')
  t.ok(first.includes(`"body":${json},"bodyEncoding":"json"`))
  t.ok(second.includes(`"body":${JSON.stringify(json.slice(0, -1))},"bodyEncoding":"text"`))
})

t.test('the metrics have the delay of the event loop', async (t) => {
  const { text } = await gateway.get('/metrics')
  t.match(text, 'rabbitmq_stream_gateway_event_loop_delay_seconds_bucket{le="0.05"}')
  t.match(text, /^rabbitmq_stream_gateway_event_loop_delay_max_seconds \d/m)
})
