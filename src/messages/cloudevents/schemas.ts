import { Type } from '@sinclair/typebox'
import { byName } from '../../api/by-name.ts'
import { ANY_TYPE, type BodyFormat } from '../formats.ts'
import { EVENT_TYPE, EVENTS_TYPE } from './event-types.ts'

const text = (description: string) => Type.String({ minLength: 1, description })

/** An event for the document. */
export const EXAMPLE_EVENT = {
  specversion: '1.0',
  id: 'order-4711',
  source: '/shops/7',
  type: 'com.example.order.placed',
  time: '2026-01-31T12:00:00Z',
  datacontenttype: 'application/json',
  data: { order: 4711 }
}

const INTEGER = Type.Integer({ minimum: -(2 ** 31), maximum: 2 ** 31 - 1 })

/** An event in the JSON format for CloudEvents 1.0. */
export const CloudEvent = Type.Object(
  {
    specversion: Type.Literal('1.0'),
    id: text('With `source`, what tells the event from others.'),
    source: text('Where it happened: a URI reference.'),
    type: text('What happened.'),
    datacontenttype: Type.Optional(text('The media type of the data. Without it, `data` is JSON.')),
    dataschema: Type.Optional(text('The schema of the data: a URI.')),
    subject: Type.Optional(text('What of the source it happened to.')),
    time: Type.Optional(text('When it happened: RFC 3339.')),
    data: Type.Optional(Type.Unknown({ description: 'The data: JSON, or a text when the type is not JSON.' })),
    data_base64: Type.Optional(Type.String({ description: 'The data, where it is bytes. In place of `data`.' }))
  },
  {
    $id: 'CloudEvent',
    additionalProperties: Type.Union([Type.String(), INTEGER, Type.Boolean(), Type.Null()], {
      description: 'Extension attributes: names of a-z and 0-9.'
    }),
    description: 'An event: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md',
    examples: [EXAMPLE_EVENT]
  }
)

/** The events of an answer. */
export const CloudEvents = Type.Array(byName(CloudEvent), { $id: 'CloudEvents', description: 'Events in their order.' })

const BYTES = Type.String({ format: 'binary' })

/** The bodies that events are published in. @param maxEvents of one body */
export function eventBodyFormats (maxEvents: number): readonly BodyFormat[] {
  return [
    { mediaType: EVENTS_TYPE, schema: eventsToPublish(maxEvents) },
    { mediaType: EVENT_TYPE, schema: byName(CloudEvent) },
    { mediaType: ANY_TYPE, schema: BYTES }
  ]
}

function eventsToPublish (maxItems: number) {
  return Type.Array(byName(CloudEvent), {
    maxItems, title: 'CloudEventsToPublish', description: 'The events of one request.', examples: [[EXAMPLE_EVENT]]
  })
}
