import { Type, type Static, type TObject } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { brokerOf } from '../../http/caller.ts'
import { partitionCheck } from '../../http/partition-check.ts'
import { invalidRequest, type ProblemCode } from '../../api/problems.ts'
import { strictObject, StreamParams, SUPER_STREAM_PROBLEMS, SuperStreamParams } from '../../api/schemas.ts'
import { refuseBadRoutingKey } from '../../messages/index.ts'
import type {
  MessageBatch, PublishResult, RoutedPublishOptions, StreamedPublishOptions, StreamedSession
} from '../../streams/index.ts'
import { toRequestError } from './body.ts'
import { PUBLISH_PROBLEMS } from './options.ts'

/** Where the messages of a request go. */
export interface PublishGoal {
  /**
   * Publishes a batch.
   *
   * @param turn given for a large batch: settles when work on it may continue, in another turn of the event loop
   * @throws StreamsError when nothing was sent
   */
  publish (batch: MessageBatch, options: StreamedPublishOptions, turn?: () => Promise<void>): Promise<PublishResult>
  /** Begins a request whose messages come piece by piece. */
  open (options: StreamedPublishOptions): StreamedSession
}

interface RoutingQuery { readonly routingKey?: string, readonly routing?: 'hash' | 'key' }

/** What a route that publishes goes to: a stream, or a super stream. */
export interface GoalKind {
  readonly path: string
  /** In the names of operations: `publish{subject}Lines`. */
  readonly subject: '' | 'SuperStream'
  readonly params: TObject
  readonly tags: readonly string[]
  readonly problems: readonly ProblemCode[]
  /** What there is to say of it in the summary and the description of an operation. */
  readonly to: string
  readonly about: string
  /** Whether messages may have routing keys. */
  readonly isRouted: boolean
  /** The query parameters, with those for routing. */
  readonly query: <T extends TObject>(query: T) => ReturnType<typeof Type.Unsafe<Static<T> & RoutingQuery>>
  readonly goalOf: (request: FastifyRequest, query: RoutingQuery) => PublishGoal
}

/** A stream. */
export const TO_STREAM: GoalKind = {
  path: '/streams/:stream',
  subject: '',
  params: StreamParams,
  tags: ['Publish'],
  problems: PUBLISH_PROBLEMS,
  to: '',
  about: '',
  isRouted: false,
  query: (query) => Type.Unsafe(query),
  goalOf: (request) => new StreamGoal(request)
}

class StreamGoal implements PublishGoal {
  readonly #request: FastifyRequest

  constructor (request: FastifyRequest) {
    this.#request = request
  }

  async publish (batch: MessageBatch, options: StreamedPublishOptions): Promise<PublishResult> {
    return await brokerOf(this.#request).publishing.publish(nameIn(this.#request, 'stream'), batch, options)
  }

  open (options: StreamedPublishOptions): StreamedSession {
    return brokerOf(this.#request).publishing.open(nameIn(this.#request, 'stream'), options)
  }
}

const ROUTING = {
  routingKey: Type.Optional(Type.String({
    minLength: 1,
    'x-documented': { maxLength: 255 },
    description: 'The routing key of the messages without a key of their own: 1 to 255 bytes of UTF-8. A message ' +
      'needs one, unless there is only one partition.',
    examples: ['customer-42']
  })),
  routing: Type.Optional(Type.Unsafe<'hash' | 'key'>({
    type: 'string',
    enum: ['hash', 'key'],
    default: 'hash',
    description: '`hash`: the hash of the routing key chooses the partition, as in the clients of RabbitMQ. `key`: ' +
      'the message goes to each partition that is bound with the routing key.'
  }))
}

/** A super stream. */
export const TO_SUPER_STREAM: GoalKind = {
  path: '/super-streams/:superStream',
  subject: 'SuperStream',
  params: SuperStreamParams,
  tags: ['Super streams'],
  problems: [
    ...PUBLISH_PROBLEMS.filter((code) => code !== 'expectation_failed'), 'no_route',
    ...SUPER_STREAM_PROBLEMS.filter((code) => code === 'super_stream_not_found')
  ],
  to: ' to a super stream',
  about: ' Each message goes to the partition that its routing key chooses. What fails at one partition fails only ' +
    'for the messages of that one. `partitions` of the answer has how many messages each partition has stored.',
  isRouted: true,
  query: ({ properties: { expectedLastPublishingId: _, ...properties } }) => {
    return Type.Unsafe(strictObject({ ...properties, ...ROUTING }))
  },
  goalOf: (request, { routingKey, routing = 'hash' }) => {
    refuseBadKey(routingKey)
    return new SuperStreamGoal(request, { routing, routingKey, check: partitionCheck(request) })
  }
}

class SuperStreamGoal implements PublishGoal {
  readonly #request: FastifyRequest
  readonly #routing: Pick<RoutedPublishOptions, 'routing' | 'routingKey' | 'check'>

  constructor (request: FastifyRequest, routing: Pick<RoutedPublishOptions, 'routing' | 'routingKey' | 'check'>) {
    this.#request = request
    this.#routing = routing
  }

  async publish (
    batch: MessageBatch, options: StreamedPublishOptions, turn?: () => Promise<void>
  ): Promise<PublishResult> {
    const { superStreams } = brokerOf(this.#request)
    const routed = { ...options, ...this.#routing, turn }
    return await superStreams.publish(nameIn(this.#request, 'superStream'), batch, routed)
  }

  open (options: StreamedPublishOptions): StreamedSession {
    const { superStreams } = brokerOf(this.#request)
    return superStreams.open(nameIn(this.#request, 'superStream'), { ...options, ...this.#routing })
  }
}

function refuseBadKey (routingKey: string | undefined): void {
  if (routingKey === undefined) return
  try {
    refuseBadRoutingKey(routingKey, '/query/routingKey')
  } catch (error) {
    throw toRequestError(error)
  }
}

function nameIn ({ params }: FastifyRequest, name: 'stream' | 'superStream'): string {
  const value: unknown = typeof params === 'object' && params !== null ? Reflect.get(params, name) : undefined
  if (typeof value === 'string') return value
  throw invalidRequest([{ pointer: `/params/${name}`, message: 'is required' }])
}
