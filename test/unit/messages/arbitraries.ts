import fc from 'fast-check'
import type { OutgoingMessage } from '../../../src/streams/index.ts'
import {
  annotations, anyValue, applicationProperties, bytes, header, properties, unicodeText
} from '../amqp/arbitraries.ts'

const contentTypes = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom('application/json', 'application/vnd.x+json; charset=utf-8', 'text/plain', '')
  },
  { weight: 1, arbitrary: unicodeText }
)
const dataBody = fc.oneof(
  bytes,
  unicodeText.map((text) => Buffer.from(text)),
  fc.json().map((text) => Buffer.from(text)),
  fc.json().map((text) => Buffer.from(`\n${text}\r\n`))
)
/** Any message, with any body that AMQP 1.0 allows. */
export const anyMessage: fc.Arbitrary<OutgoingMessage> = fc.record(
  {
    header,
    deliveryAnnotations: annotations,
    messageAnnotations: annotations,
    footer: annotations,
    properties: fc
      .tuple(properties, fc.option(contentTypes, { nil: undefined }))
      .map(([others, contentType]) => ({ ...others, contentType })),
    applicationProperties,
    body: fc.oneof(
      { weight: 3, arbitrary: dataBody },
      { weight: 1, arbitrary: anyValue.map((value) => ({ kind: 'value' as const, value })) },
      {
        weight: 1,
        arbitrary: fc
          .array(fc.array(anyValue, { maxLength: 3 }), { minLength: 1, maxLength: 3 })
          .map((sections) => ({ kind: 'sequence' as const, sections }))
      }
    )
  },
  { requiredKeys: ['body'] }
)
