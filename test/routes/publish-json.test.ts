import t from 'tap'
import { startGateway, type Answer } from '../support/gateway.ts'
import { exactly } from '../support/exactly.ts'

const gateway = await startGateway(t)
const JSON_TYPE = { 'content-type': 'application/json' }

async function bodies (stream: string): Promise<string> {
  return (await gateway.get(`/v1/streams/${stream}/messages/lines`)).text
}

async function publish (stream: string, query: string): Promise<Answer> {
  return await gateway.request('POST', `/v1/streams/${stream}/messages${query}`, { json: { messages: [] } })
}

t.test('a body that is not a list of messages says what is missing and where other bodies go', async (t) => {
  const path = '/v1/streams/any/messages'
  const required = { pointer: '/messages', message: /messages\/raw .*messages\/lines/ }
  for (const [body, ...others] of [
    ['{"action":"opened"}', { pointer: '/action', message: 'is unknown' }],
    ['{"order":1,"a/b":2}', { pointer: '/order' }, { pointer: '/a~1b' }],
    ['{}'], [''], [' \n'],
    ['[1]', { pointer: '' }], ['"x"', { pointer: '' }], ['null', { pointer: '' }], ['1', { pointer: '' }]
  ] as const) {
    const { json } = await gateway.request('POST', path, { headers: JSON_TYPE, body })
    t.match(json, { status: 400, code: 'validation_failed', errors: exactly(required, ...others) }, body)
  }
})

t.test('a body that is not JSON says what is wrong and where', async (t) => {
  const path = '/v1/streams/any/messages'
  const many = Array.from({ length: 40 }, (_, n) => `{"body":${n === 34 ? 'NaN' : 1.5}}`).join(',\n')
  for (const [body, pointer, place] of [
    [`{"messages":[${many}]}`, '/messages/34', /line 35, column 9: NaN is not JSON/],
    ['{"messages":[', '/messages/0', /column 14: it ends where/],
    ["{'messages':[]}", '', /column 2: .*double quotes/],
    ['{"messages":[{"body":1},]}', '/messages/1', /column 25: a comma before \]/],
    ['{"messages":[{"body":1,}]}', '/messages/0', /column 24: a comma before }/],
    ['{"messages":[{"body":1}]} x', '', /column 27: x is not JSON/],
    ['{"messages":[\ufeff]}', '/messages/0', /column 14: a byte order mark/],
    [Buffer.from([0x22, 0xff, 0x22]), '', /column 2: .*UTF-8/],
    ['nonsense', '', /column 1: nonsense is not JSON/]
  ] as const) {
    const { json } = await gateway.request('POST', path, { headers: JSON_TYPE, body })
    const errors = exactly({ pointer, message: place })
    t.match(json, { status: 400, code: 'bad_request', detail: place, errors }, String(body))
  }
})

t.test('a JSON body is stored as it is written', async (t) => {
  const stream = await gateway.newStream(t)
  const texts = ['{"price":19.90,"rate":1.0}', '{ "b" : 1E400, "a": 2, "b": 3 }', '"\\u00e9\\ud800"', '{"__proto__":1}']
  const json = `\ufeff{"messages" : [ ${texts.map((text) => `{"body": ${text} }`).join(' ,\r\n')} ] }`
  const stored = { confirmed: texts.length, duplicates: 0 }
  const answer = await gateway.request('POST', `/v1/streams/${stream}/messages`, { headers: JSON_TYPE, body: json })
  t.same(answer.json, stored)
  t.equal(await bodies(stream), texts.map((text) => `${text}\n`).join(''))
})

t.test('no messages publish nothing', async (t) => {
  const stream = await gateway.newStream(t)
  t.match((await publish(stream, '')).json, { confirmed: 0, duplicates: 0 })
  t.match((await publish(stream, '?publisher=p')).json, { confirmed: 0, duplicates: 0 })
  t.equal(await bodies(stream), '')
})

t.test('JSON that is sent on several lines is stored so, and is one line where lines are read', async (t) => {
  const stream = await gateway.newStream(t)
  const path = `/v1/streams/${stream}/messages`
  const pretty = '{\r\n  "a": "x\\ny",\n  "b": [1,\n 2]\n}'
  const headers = { 'content-type': 'application/json' }
  await gateway.request('POST', path, { headers, body: `{"messages":[{"body":${pretty}},{"body":2}]}` })
  await gateway.request('POST', `${path}/raw`, { headers, body: '{\nnot JSON' })
  t.equal((await gateway.get(`${path}/0/raw`)).text, pretty)
  t.equal((await gateway.get(`${path}/lines`)).text, `${pretty.replaceAll(/[\r\n]/g, ' ')}\n2\n`)
  t.match((await gateway.get(`${path}/lines?offset=2`)).json, { status: 422, code: 'body_not_a_line', offset: 2 })
})
