import { Type, type TProperties } from '@sinclair/typebox'
import type { Definition } from '../push/definitions/definition.ts'
import { strictObject } from './schemas.ts'
import { batch, commit, filter, plain, retry } from './subscription-parts.ts'

const DAY_SECONDS = 86_400

/**
 * What a caller gives for a subscription, with the defaults filled in. What only the subscription that is replaced
 * knows is left open.
 */
export interface GivenDefinition extends Omit<
  Definition, 'errorStream' | 'headers' | 'secrets' | 'consumer' | 'paused'
> {
  /** Undefined: that of the stream. */
  readonly errorStream?: string | undefined
  /** By name, as the caller has written it. `***`: as it is. */
  readonly headers: Readonly<Record<string, string>>
  /** `***`: those that it has. Undefined: as they are; of a new one: one is made. */
  readonly secrets?: readonly string[] | undefined
  readonly consumer?: string | undefined
  /** Undefined: as it is; a new one is not paused. */
  readonly paused?: boolean | undefined
}

const pausedGiven = Type.Boolean({
  description: 'Whether it is paused. Left out, it stays as it is; a new one is not paused.'
})
const pausedShown = Type.Boolean({ description: 'Whether it is paused; `status.reason` says why.' })

function optional (properties: TProperties): TProperties {
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, Type.Optional(schema)]))
}

/** Parts of a definition that a caller may leave out, and parts of these. */
function given (properties: TProperties, title: string) {
  const fallback = Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, schema.default]))
  return Type.Optional(strictObject(optional(properties), { title, default: fallback }))
}

const { url, ...others } = plain
// An answer can be sent back as it is.
const ignored = (type: 'string' | 'integer' | 'object', name: string) => Type.Optional(Type.Unsafe<unknown>({
  type, description: `As in an answer. It is ignored: ${name}.`
}))

const EXAMPLE_URL = 'https://api.example.com/hooks/orders'

/** The body of a PUT. What a PATCH makes of a subscription has to be one too. */
export const SubscriptionToPut = Type.Unsafe<GivenDefinition>(strictObject(
  {
    url,
    ...optional(others),
    batch: given(batch, 'SubscriptionBatchToPut'),
    retry: given(retry, 'SubscriptionRetryToPut'),
    filter: given(filter, 'SubscriptionFilterToPut'),
    commit: given(commit, 'SubscriptionCommitToPut'),
    paused: Type.Optional(pausedGiven),
    stream: ignored('string', 'the path names it'),
    superStream: ignored('string', 'the path names it'),
    subscription: ignored('string', 'the path names it'),
    version: ignored('integer', 'the version belongs into `If-Match`'),
    status: ignored('object', 'the gateway writes it')
  },
  {
    title: 'SubscriptionToPut',
    description: 'A subscription. Everything but `url` has a default.',
    'x-examples': {
      least: { summary: 'Each message in a request, in the order of the stream', value: { url: EXAMPLE_URL } },
      batches: {
        summary: 'Up to 100 messages in a request, retried for a day',
        value: {
          url: EXAMPLE_URL,
          start: 'first',
          batch: { maxMessages: 100 },
          retry: { maxOutageSeconds: DAY_SECONDS },
          headers: { authorization: 'Bearer abc' }
        }
      }
    }
  }
))

/** The body of a PATCH. What it makes of the subscription is checked as the body of a PUT. */
export const SubscriptionToPatch = Type.Unsafe<Readonly<Record<string, unknown>>>(Type.Object({}, {
  title: 'SubscriptionToPatch',
  description: 'Members of a subscription; null means the default.',
  additionalProperties: true,
  examples: [{ timeoutMs: 30_000 }]
}))

/** What an answer shows of the definition. */
export const DEFINITION_PROPERTIES = {
  ...plain,
  batch: Type.Object(batch, { title: 'SubscriptionBatch' }),
  retry: Type.Object(retry, { title: 'SubscriptionRetry' }),
  filter: Type.Object(filter, { title: 'SubscriptionFilter' }),
  commit: Type.Object(commit, { title: 'SubscriptionCommit' }),
  paused: pausedShown
}
