import t from 'tap'
import { lineBody, rawBody, rawMessage } from '../../../src/messages/index.ts'
import { entry, stored, unreadable } from './support.ts'

const body = Buffer.from('%PDF')

t.test('headers become properties', async t => {
  const { message, publishingId } = rawMessage(body, {
    host: 'x',
    'content-type': 'application/pdf',
    'message-id': 'm-1',
    'correlation-id': '42',
    subject: 'invoice',
    'publishing-id': '9007199254740991',
    'app-property-tenant': 'acme',
    'app-property-many': ['a', 'b'],
    'app-property-absent': undefined
  })
  t.equal(message.body, body)
  t.same(message.properties, {
    messageId: { type: 'string', value: 'm-1' },
    correlationId: { type: 'string', value: '42' },
    subject: 'invoice',
    contentType: 'application/pdf'
  })
  t.same(message.applicationProperties, [
    [{ type: 'string', value: 'tenant' }, { type: 'string', value: 'acme' }],
    [{ type: 'string', value: 'many' }, { type: 'string', value: 'a, b' }]
  ])
  t.equal(publishingId, 9007199254740991)
})

t.test('without headers it is the body and nothing else', async t => {
  const raw = rawMessage(body, {})
  t.equal(raw.publishingId, undefined)
  t.ok(stored(raw.message).bytes.length === body.length + 5)
})

t.test('header values may be UTF-8, which Node hands over as Latin-1', async t => {
  const subject = (text: string) => rawMessage(body, { subject: text }).message.properties?.subject
  t.equal(subject(Buffer.from('Größe €').toString('latin1')), 'Größe €')
  t.equal(subject('Gr\u00f6\u00dfe'), 'Größe', 'and what is no UTF-8 is Latin-1')
})

t.test('a publishing id must be one', async t => {
  for (const id of ['', '-1', '01', '1.0', '1e3', 'x', '9007199254740992', '99999999999999999999']) {
    t.throws(
      () => rawMessage(body, { 'publishing-id': id }),
      { name: 'MessageFormatError', pointer: '/headers/publishing-id' },
      id
    )
  }
  t.equal(rawMessage(body, { 'publishing-id': '0' }).publishingId, 0)
  t.throws(() => rawMessage(body, { 'app-property-': 'x' }), {
    name: 'MessageFormatError',
    pointer: '/headers/app-property-'
  })
})

t.test('a raw body keeps its bytes, and only a content type that may be sent', async t => {
  const contentTypeOf = (contentType?: string) => rawBody(stored({ body, properties: { contentType } })).contentType
  t.same(rawBody(stored({ body, properties: { contentType: 'application/pdf' } })), {
    contentType: 'application/pdf',
    body
  })
  t.equal(contentTypeOf('text/plain; charset="utf-8"'), 'text/plain; charset="utf-8"')
  t.equal(contentTypeOf('application/vnd.x+json'), 'application/vnd.x+json')
  for (const bad of [
    undefined, '', 'text', 'text/', 'text/plain\r\nset-cookie: a=b', 'text/plain;\u00e9', 'text/pl\u20acin', 'a b/c'
  ]) {
    t.equal(contentTypeOf(bad), 'application/octet-stream', JSON.stringify(bad))
  }
})

t.test('a raw body of another kind is JSON, and of no message its bytes', async (t) => {
  const value = stored({
    body: { kind: 'value', value: { type: 'string', value: 'a\nb' } },
    properties: { contentType: 'text/plain' }
  })
  t.same(rawBody(value), { contentType: 'application/json', body: Buffer.from('"a\\nb"') })
  t.same(rawBody(entry(Buffer.from('hello'))), { contentType: 'application/octet-stream', body: Buffer.from('hello') })
  t.same(rawBody(unreadable), { contentType: 'application/octet-stream', body: Buffer.from('packed') })
})

t.test('a line is the body', async t => {
  const line = (message: Parameters<typeof lineBody>[0]) => Buffer.from(lineBody(message)).toString()
  t.equal(line(stored({ body: Buffer.from('abc'), properties: { subject: 's' } })), 'abc')
  t.equal(line(stored({ body: Buffer.alloc(300, 'x') })), 'x'.repeat(300))
  t.equal(line(stored({ body: Buffer.alloc(0) })), '')
  t.equal(line(entry(Buffer.from('005375a00161005375a00162', 'hex'))), 'ab')
  t.equal(line(stored({ body: { kind: 'value', value: { type: 'string', value: 'a\nb' } } })), '"a\\nb"')
  t.equal(line(stored({ body: { kind: 'sequence', sections: [[{ type: 'int', value: 1 }]] } })), '[[1]]')
  t.equal(line(entry(Buffer.from('00537345', 'hex'))), 'null')
  t.equal(line(entry(Buffer.from('hello'))), 'hello')
  t.equal(
    line(entry(Buffer.from('00537799', 'hex'))),
    Buffer.from('00537799', 'hex').toString(),
    'a value that is damaged'
  )
  t.equal(line(unreadable), 'packed')
})
