import { createRequire } from 'node:module'
import t from 'tap'
import { decodeMessage, encodedLength, encodeMessage } from '../../../src/streams/amqp/index.ts'
import type { OutgoingMessage } from '../../../src/streams/amqp/index.ts'

// The internal functions of the official JavaScript client that write and read one entry, used without a broker.
const require = createRequire(import.meta.url)
const { BufferDataReader, decodeFormatCode } = require('rabbitmq-stream-js-client/dist/response_decoder.js')
const { Properties } = require('rabbitmq-stream-js-client/dist/amqp10/properties.js')
const { ApplicationProperties } = require('rabbitmq-stream-js-client/dist/amqp10/applicationProperties.js')
const { Annotations } = require('rabbitmq-stream-js-client/dist/amqp10/messageAnnotations.js')
const { amqpEncode } = require('rabbitmq-stream-js-client/dist/amqp10/encoder.js')
const { BufferDataWriter } = require('rabbitmq-stream-js-client/dist/requests/buffer_data_writer.js')

t.test('the official JavaScript client reads every section that is written here', async t => {
  const message: OutgoingMessage = {
    messageAnnotations: [[{ type: 'symbol', value: 'x-a' }, { type: 'string', value: 'b' }]],
    properties: {
      messageId: { type: 'string', value: 'm-1' },
      userId: Buffer.from('alice'),
      subject: 's',
      contentType: 'application/json',
      creationTime: 1_700_000_000_000n,
      groupSequence: 3,
      replyToGroupId: 'g'
    },
    applicationProperties: [
      [{ type: 'string', value: 'n' }, { type: 'int', value: 5 }],
      [{ type: 'string', value: 'm' }, { type: 'int', value: 70_000 }],
      [{ type: 'string', value: 's' }, { type: 'string', value: 'x'.repeat(300) }]
    ],
    body: Buffer.alloc(300, 'x')
  }
  const bytes = Buffer.alloc(encodedLength(message))
  encodeMessage(message, bytes, 0)
  const reader = new BufferDataReader(bytes)
  const section = () => {
    reader.forward(3)
    return decodeFormatCode(reader, reader.readUInt8())
  }
  t.same(Annotations.parse(reader, section()), { 'x-a': 'b' })
  t.same(Properties.parse(reader, section()), {
    messageId: 'm-1',
    userId: Buffer.from('alice'),
    subject: 's',
    contentType: 'application/json',
    creationTime: new Date(1_700_000_000_000),
    groupSequence: 3,
    replyToGroupId: 'g'
  })
  t.same(ApplicationProperties.parse(reader, section()), { n: 5, m: 70_000, s: 'x'.repeat(300) })
  t.equal(reader.readBufferOf(section()).length, 300)
  t.ok(reader.isAtEnd())
})

t.test('a message of the official JavaScript client is read here', async t => {
  const sent = {
    content: Buffer.from('hello'),
    messageAnnotations: { key: 'value', n: 7 },
    messageProperties: {
      messageId: 'm-1',
      userId: Buffer.from('alice'),
      contentType: 'text/plain',
      creationTime: new Date(1_700_000_000_000),
      groupSequence: 3
    },
    applicationProperties: { tenant: 'acme', attempt: 2 }
  }
  const writer = new BufferDataWriter(Buffer.alloc(1000), 0)
  amqpEncode(writer, sent)
  const message = decodeMessage(writer.buffer.subarray(4, writer.offset))
  t.same(message.body, { kind: 'data', sections: [Buffer.from('hello')] })
  t.same(message.properties, {
    messageId: { type: 'string', value: 'm-1' },
    userId: Buffer.from('alice'),
    contentType: 'text/plain',
    creationTime: 1_700_000_000_000n,
    groupSequence: 3
  })
  t.same(message.messageAnnotations, [
    [{ type: 'string', value: 'key' }, { type: 'string', value: 'value' }],
    [{ type: 'string', value: 'n' }, { type: 'int', value: 7 }]
  ])
  t.same(message.applicationProperties, [
    [{ type: 'string', value: 'tenant' }, { type: 'string', value: 'acme' }],
    [{ type: 'string', value: 'attempt' }, { type: 'int', value: 2 }]
  ])
})
