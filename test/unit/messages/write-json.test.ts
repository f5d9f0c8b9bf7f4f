import t from 'tap'
import { isMessageWrite, written } from './support.ts'

const parse = (json: unknown) => written(json, '/messages/3')

function bodyText (json: unknown): string {
  const { body } = parse(json).message
  return body instanceof Uint8Array ? Buffer.from(body).toString('latin1') : body.kind
}

t.test('the encoding says what is stored, and with which content type', async t => {
  const cases: Array<[Record<string, unknown>, string, string]> = [
    [{ body: { a: [1, 'é'] } }, '{"a":[1,"é"]}', 'application/json'],
    [{ body: null }, 'null', 'application/json'],
    [{ body: 0 }, '0', 'application/json'],
    [{ body: '' }, '""', 'application/json'],
    [{ body: false, bodyEncoding: 'json' }, 'false', 'application/json'],
    [{ body: 'é\n', bodyEncoding: 'text' }, 'é\n', 'text/plain'],
    [{ body: '', bodyEncoding: 'text' }, '', 'text/plain'],
    [{ body: 'aGVsbG8=', bodyEncoding: 'base64' }, 'hello', 'application/octet-stream'],
    [{ body: '', bodyEncoding: 'base64' }, '', 'application/octet-stream']
  ]
  for (const [json, text, contentType] of cases) {
    t.equal(bodyText(json), Buffer.from(text).toString('latin1'), JSON.stringify(json))
    t.equal(parse(json).message.properties?.contentType, contentType)
    t.equal(
      parse({ ...json, properties: { subject: 's' } }).message.properties?.contentType,
      contentType,
      'other properties change nothing'
    )
    t.equal(
      parse({ ...json, properties: { contentType: 'a/b' } }).message.properties?.contentType,
      'a/b',
      'a given one wins'
    )
    t.equal(
      parse({ ...json, properties: { contentType: null } }).message.properties?.contentType,
      undefined,
      'null stores none'
    )
  }
})

t.test('every property has its AMQP type', async t => {
  const { message, publishingId } = parse({
    body: 1,
    properties: {
      messageId: 5,
      userId: 'ålice',
      to: 'orders',
      subject: 's',
      replyTo: 'answers',
      correlationId: { $type: 'uuid', value: 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6' },
      contentType: 'a/b',
      contentEncoding: 'gzip',
      absoluteExpiryTime: '253402300800000',
      creationTime: '2025-01-31T12:00:00.5Z',
      groupId: 'g',
      groupSequence: 4294967295,
      replyToGroupId: 'r'
    },
    applicationProperties: { n: 1, s: 'x' },
    messageAnnotations: { 'x-a': 'y' },
    publishingId: 9007199254740991
  })
  t.same(message.properties, {
    messageId: { type: 'ulong', value: 5n },
    userId: Buffer.from('ålice'),
    to: { type: 'string', value: 'orders' },
    subject: 's',
    replyTo: { type: 'string', value: 'answers' },
    correlationId: { type: 'uuid', value: 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6' },
    contentType: 'a/b',
    contentEncoding: 'gzip',
    absoluteExpiryTime: 253402300800000n,
    creationTime: 1738324800500n,
    groupId: 'g',
    groupSequence: 4294967295,
    replyToGroupId: 'r'
  })
  t.same(message.applicationProperties, [
    [
      { type: 'string', value: 'n' },
      { type: 'int', value: 1 }
    ],
    [
      { type: 'string', value: 's' },
      { type: 'string', value: 'x' }
    ]
  ])
  t.same(message.messageAnnotations, [
    [
      { type: 'symbol', value: 'x-a' },
      { type: 'string', value: 'y' }
    ]
  ])
  t.equal(publishingId, 9007199254740991)
})

t.test('a user id may be any bytes', async (t) => {
  t.same(
    parse({ body: 1, properties: { userId: { $type: 'binary', value: '/w==' } } }).message.properties?.userId,
    Buffer.from([0xff])
  )
})

t.test('a body may be an AMQP value, or sequences, in any encoding', async t => {
  const value = { kind: 'value', value: { type: 'list', value: [{ type: 'int', value: 1 }] } }
  const sequence = { kind: 'sequence', sections: [[{ type: 'int', value: 1 }], []] }
  t.same(parse({ body: [1], bodyType: 'value' }).message, { body: value })
  t.same(parse({ body: '[1]', bodyEncoding: 'text', bodyType: 'value' }).message.body, value)
  t.same(parse({ body: 'WzFd', bodyEncoding: 'base64', bodyType: 'value' }).message.body, value)
  t.same(parse({ body: [[1], []], bodyType: 'sequence' }).message.body, sequence)
  t.equal(bodyText({ body: [1], bodyType: 'data' }), '[1]')
})

t.test('what a schema cannot see is refused where it is', async t => {
  const cases: Array<[Record<string, unknown>, string]> = [
    [{ body: 1, bodyEncoding: 'text' }, '/body'],
    [{ body: null, bodyEncoding: 'base64' }, '/body'],
    [{ body: 'a b=', bodyEncoding: 'base64' }, '/body'],
    [{ body: 'aGVsbG8', bodyEncoding: 'base64' }, '/body'],
    [{ body: 'x\ud800', bodyEncoding: 'text' }, '/body'],
    [{ body: 2 ** 53, bodyType: 'value' }, '/body'],
    [{ body: '{', bodyEncoding: 'text', bodyType: 'value' }, '/body'],
    [{ body: [], bodyType: 'sequence' }, '/body'],
    [{ body: { a: 1 }, bodyType: 'sequence' }, '/body'],
    [{ body: [[1], 2], bodyType: 'sequence' }, '/body/1'],
    [{ body: 1, properties: { subject: '\udc00' } }, '/properties/subject'],
    [{ body: 1, properties: { contentType: '\udc00' } }, '/properties/contentType'],
    [{ body: 1, properties: { creationTime: 'yesterday' } }, '/properties/creationTime'],
    [{ body: 1, properties: { messageId: { a: 1 } } }, '/properties/messageId'],
    [{ body: 1, properties: { correlationId: { $type: 'uuid', value: 'x' } } }, '/properties/correlationId/value'],
    [{ body: 1, properties: { userId: { $type: 'int', value: 1 } } }, '/properties/userId'],
    [{ body: 1, properties: { to: { $type: 'x', value: 1 } } }, '/properties/to/$type'],
    [{ body: 1, properties: { creationTime: '1738324800' } }, '/properties/creationTime'],
    [{ body: 1, applicationProperties: { a: [{ $type: 'int', value: 'x' }] } }, '/applicationProperties/a/0/value'],
    [{ body: 1, applicationProperties: { a: 1, b: [] } }, '/applicationProperties/b'],
    [{ body: 1, applicationProperties: { a: {} } }, '/applicationProperties/a'],
    [{ body: 1, applicationProperties: { a: { $type: 'array', value: [] } } }, '/applicationProperties/a'],
    [{ body: 1, applicationProperties: { 'a/b': { $type: 'map', value: [] } } }, '/applicationProperties/a~1b'],
    [
      { body: 1, applicationProperties: { a: { $type: 'described', descriptor: 1, value: 'x' } } },
      '/applicationProperties/a'
    ],
    [{ body: 1, applicationProperties: { $type: 'map', value: [[1, 'x']] } }, '/applicationProperties'],
    [{ body: 1, messageAnnotations: { $type: 'map', value: [['a', 'x']] } }, '/messageAnnotations'],
    [{ body: 1, deliveryAnnotations: { a: { $type: 'int', value: 'x' } } }, '/deliveryAnnotations/a/value'],
    [{ body: 1, footer: { $type: 'map', value: [[1, 'x']] } }, '/footer'],
    [{ body: 1, applicationProperties: { $type: 'list', value: [] } }, '/applicationProperties'],
    [{ body: 1, applicationProperties: { $type: 1 } }, '/applicationProperties'],
    [{ body: 1, messageAnnotations: { '\ud800': 1 } }, '/messageAnnotations/\ud800']
  ]
  for (const [json, pointer] of cases) {
    t.throws(() => parse(json), { name: 'MessageFormatError', pointer: `/messages/3${pointer}` }, JSON.stringify(json))
  }
})

t.test('a JSON body is stored as it is written', async t => {
  for (const body of [
    '1.0', '19.90', '-0', '1E400', '123456789012345678901234567890', '{"b":1,"a":2,"1":3,"b":4}', '"\\u00e9\\ud800\\/"',
    '{ "a" :\t[ 1 , 2 ] }', '{"__proto__":1}', '[\r\n1\n]', '"é€😀"'
  ]) {
    t.equal(bodyText(`{"body":${body}}`), Buffer.from(body).toString('latin1'))
    t.equal(bodyText(`{ "body" : ${body} , "bodyEncoding":"json"}`), Buffer.from(body).toString('latin1'))
  }
})

t.test('a number that JSON.parse would make another whole number of is refused where it is', async t => {
  const cases: Array<[string, string]> = [
    ['{"body":1,"publishingId":0.99999999999999999999}', '/publishingId'],
    ['{"body":1,"publishingId":9007199254740991.4}', '/publishingId'],
    ['{"body":1,"publishingId":9007199254740993}', '/publishingId'],
    ['{"body":1,"publishingId":1.5}', '/publishingId'],
    ['{"body":1,"publishingId":1e400}', '/publishingId'],
    ['{"body":1,"offset":1e-400}', '/offset'],
    ['{"body":1,"properties":{"groupSequence":0.99999999999999999999}}', '/properties/groupSequence'],
    ['{"body":1,"properties":{"messageId":9007199254740990.7}}', '/properties/messageId'],
    ['{"body":1,"applicationProperties":{"x":"1","a/b":[1,{"c":4503599627370497.4999}]}}',
      '/applicationProperties/a~1b/1/c'],
    ['{"body":[1,[4503599627370497.4999]],"bodyType":"value"}', '/body/1/0'],
    ['{"body":"[1e-400]","bodyType":"value","bodyEncoding":"text"}', '/body/0']
  ]
  for (const [json, pointer] of cases) {
    t.throws(() => parse(json), { name: 'MessageFormatError', pointer: `/messages/3${pointer}` }, json)
  }
  t.equal(parse('{"body":1,"publishingId":1e2}').publishingId, 100)
  t.equal(parse('{"body":1,"publishingId":1.00000000000000000000}').publishingId, 1)
  t.doesNotThrow(() => parse('{"body":0.10000000000000000000001,"bodyType":"value"}'), 'no whole number')
})

t.test('a field is given once, however it is spelled', async t => {
  for (const json of [
    '{"body":1,"body":2}', '{"body":1,"b\\u006fdy":2}', '{"body":1,"properties":{},"properties":{}}'
  ]) {
    t.throws(() => parse(json), { name: 'MessageFormatError', message: /more than once/ }, json)
  }
  t.equal(bodyText('{"b\\u006fdy":7}'), '7')
})

t.test('a message is refused before anything is made of it when it is over a limit', async t => {
  const tooMany = { name: 'MessageFormatError', pointer: '/messages/3/body', message: /PUBLISH_MAX_MESSAGE_VALUES/ }
  const many = JSON.stringify(Array.from({ length: 1001 }, () => 1))
  const properties = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`p${n}`, n]))
  t.throws(() => parse({ body: 1, applicationProperties: properties }), { message: /PUBLISH_MAX_MESSAGE_VALUES/ })
  t.throws(() => parse(`{"body":${many},"bodyType":"value"}`), tooMany)
  t.throws(() => parse({ body: many, bodyEncoding: 'text', bodyType: 'value' }), tooMany)
  t.equal(bodyText(`{"body":${many}}`), many, 'a body that is stored as it is may have any number of values')
  t.throws(() => parse({ body: 'x'.repeat(1024 * 1024) }), { name: 'StreamsError', code: 'message_too_large' })
  t.throws(() => parse({ body: 1, properties: { subject: 'x'.repeat(1024 * 1024) } }), { message: /beside its body/ })
  const deep = '['.repeat(1001) + ']'.repeat(1001)
  t.throws(() => parse(`{"body":${deep}}`), { name: 'TextFault', isBeyondLimit: true })
  t.equal(bodyText(`{"body":${deep.slice(1, -1)}}`), deep.slice(1, -1))
})

t.test('the schema refuses what has not the shape of a message', async (t) => {
  t.ok(
    isMessageWrite({
      body: 1,
      offset: 1,
      timestamp: 'x',
      format: 'unknown',
      records: 1,
      compression: 'x',
      reason: 'y'
    }),
    'what a read adds is taken'
  )
  const cases: unknown[] = [
    {}, [], 'text', null,
    { body: 1, other: 1 },
    { body: 1, bodyEncoding: 'auto' },
    { body: 1, bodyType: 'none' },
    { body: 1, properties: { messageID: 'x' } },
    { body: 1, properties: { messageId: true } },
    { body: 1, properties: { messageId: 2 ** 53 } },
    { body: 1, properties: { messageId: -1 } },
    { body: 1, properties: { groupSequence: 4294967296 } },
    { body: 1, properties: { subject: null } },
    { body: 1, applicationProperties: [] },
    { body: 1, publishingId: -1 },
    { body: 1, publishingId: 9007199254740992 },
    { body: 1, publishingId: '1' },
    { body: 1, publishingId: 1.5 }
  ]
  for (const json of cases) t.notOk(isMessageWrite(json), JSON.stringify(json))
})
