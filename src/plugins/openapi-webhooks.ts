import type { JsonObject } from '../text/json-node.ts'

const EXAMPLE_TIME = '2026-01-31T12:00:00.000Z'
const EXAMPLE_MESSAGE = {
  offset: 42,
  timestamp: EXAMPLE_TIME,
  body: { order: 4711 },
  bodyEncoding: 'json',
  properties: { contentType: 'application/json' }
}
const MESSAGE = { $ref: '#/components/schemas/MessageRead' }

const BATCH = {
  type: 'object',
  required: ['messages', 'nextOffset'],
  properties: {
    messages: { type: 'array', items: MESSAGE },
    nextOffset: { type: 'integer', format: 'int64', description: 'The last offset of the messages + 1.' }
  }
}

const header = (name: string, example: unknown, description: string, type = 'string'): JsonObject => ({
  name,
  in: 'header',
  required: true,
  description,
  schema: { type, ...(type === 'integer' && { format: 'int64' }) },
  example
})

const HEADERS = [
  header('webhook-id', 'msg_c29tZSBpZCBvZiBhIG1lc3NhZ2U',
    'The same for every try of a message: by it an endpoint knows what it has processed already.'),
  header('webhook-timestamp', 1769860800, 'Seconds since 1970, when the request was signed.', 'integer'),
  header('webhook-signature', 'v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=',
    'For each secret `v1,` and the HMAC-SHA256 of `{webhook-id}.{webhook-timestamp}.{body}` in base64 (Standard ' +
    'Webhooks), separated by spaces.'),
  header('stream-name', 'orders', 'The stream, of a super stream the partition; percent-encoded.'),
  header('stream-subscription', 'billing', 'The subscription.'),
  header('stream-offset', 42, 'The offset of the message, or of the first one.', 'integer'),
  header('stream-timestamp', EXAMPLE_TIME, 'When the broker stored it.'),
  header('delivery-attempt', 1, 'Which try this is, from 1.', 'integer'),
  header('delivery-generation', 1,
    'Grows when another instance takes over, and with each reset. A request with a lower one than was seen is late.',
    'integer')
]

const answer = (description: string): JsonObject => ({ description })

/** The requests that endpoints of subscriptions get, for those who write an endpoint. */
export const WEBHOOKS: JsonObject = {
  delivery: {
    post: {
      operationId: 'receiveDelivery',
      tags: ['Push'],
      summary: 'A delivery to an endpoint',
      description:
        'What the gateway sends to the `url` of a subscription. Any 2xx says that everything in the request is ' +
        'processed. The answer to a request with several messages may say `webhook-processed: <offset>`: up to and ' +
        'including that offset, whatever its status. `webhook-retry: never` says that the message is not wanted again.',
      security: [],
      parameters: HEADERS,
      requestBody: {
        required: true,
        content: {
          'application/json': {
            schema: { anyOf: [MESSAGE, BATCH] },
            examples: {
              message: { summary: 'One message', value: EXAMPLE_MESSAGE },
              batch: {
                summary: 'With `batch.maxMessages` above 1', value: { messages: [EXAMPLE_MESSAGE], nextOffset: 43 }
              }
            }
          },
          '*/*': { schema: { type: 'string', description: 'With `format: raw`: the body of the message.' } }
        }
      },
      responses: {
        '2XX': answer('Processed.'),
        410: answer('The subscription is not wanted: it pauses.'),
        422: answer('This message is refused. So do 400, 409, 413, 415 and 489.'),
        503: answer('Later. So do 3xx, 401 to 408 apart from 406, 421, 425, 429, 502 and 504; `Retry-After` counts.'),
        default: answer('The message or the endpoint is to blame: it is tried again.')
      }
    }
  }
}
