import { Type, type FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { ApiApp } from '../http/api-app.ts'
import { brokerOf, callerOf } from '../http/caller.ts'
import {
  BODY_PROBLEMS, BROKER_PROBLEMS, json, offset, SourceState, StreamParams, strictObject
} from '../api/schemas.ts'
import { STREAM_ARGUMENTS } from '../streams/index.ts'

const MAX_LIST = 1000
const MAX_ARGUMENTS_BYTES = 64 * 1024
const tags = ['Streams']

const ListQuery = strictObject({
  prefix: Type.Optional(Type.String({ description: 'Only names that begin with this text.' })),
  limit: Type.Integer({ minimum: 1, maximum: MAX_LIST, default: 100, description: 'How many names at most.' }),
  cursor: Type.Optional(Type.String({ minLength: 1, description: '`nextCursor` of the previous page.' }))
})

const StreamList = Type.Object(
  {
    streams: Type.Array(Type.String()),
    nextCursor: Type.Union([Type.String(), Type.Null()], {
      description: 'Where the next page begins; null on the last one.'
    })
  },
  { $id: 'StreamList' }
)

const { maxLengthBytes, maxAge, maxSegmentSizeBytes, initialClusterSize, filterSizeBytes } = STREAM_ARGUMENTS

const Arguments = strictObject(
  {
    maxLengthBytes: Type.Optional(
      Type.Integer({
        ...maxLengthBytes.bounds,
        description: 'When the stream is larger, its oldest segments are removed.'
      })
    ),
    maxAge: Type.Optional(
      Type.String({
        ...maxAge.bounds,
        description: 'Segments older than this are removed: a number and Y, M, D, h, m or s.',
        examples: ['7D']
      })
    ),
    maxSegmentSizeBytes: Type.Optional(
      Type.Integer({
        ...maxSegmentSizeBytes.bounds,
        description: 'Size of a segment; retention removes whole segments.'
      })
    ),
    initialClusterSize: Type.Optional(
      Type.Integer({
        ...initialClusterSize.bounds,
        description: 'The number of nodes with a copy of the stream; by default all nodes.'
      })
    ),
    leaderLocator: Type.Optional(
      Type.Union([Type.Literal('client-local'), Type.Literal('balanced')], { description: 'Where the leader goes.' })
    ),
    filterSizeBytes: Type.Optional(
      Type.Integer({ ...filterSizeBytes.bounds, description: 'Size of the filter of each chunk.' })
    )
  },
  {
    title: 'StreamToCreate',
    description: 'The arguments of the stream. Without them the defaults of the broker apply, which keep all messages.',
    'x-examples': {
      defaults: { summary: 'Defaults of the broker', value: {} },
      retention: { summary: 'A week, at most 5 GB', value: { maxAge: '7D', maxLengthBytes: 5_000_000_000 } }
    }
  }
)

const Created = Type.Object({
  name: Type.String(),
  arguments: Type.Optional(
    Type.Record(Type.String(), Type.Unknown(), {
      description: 'The arguments that the stream has. Missing when they are not those of the request and there is ' +
        'no management API to tell them.'
    })
  )
}, { title: 'CreatedStream' })

const DeleteQuery = strictObject({
  partition: Type.Boolean({
    default: false, description: 'Delete the stream also when it is a partition of a super stream.'
  })
})

const Description = Type.Object(
  {
    name: Type.String(),
    firstOffset: offset('The first offset that the stream still has.'),
    nextOffset: offset(
      'The offset after the last one. The next message gets this offset or a later one. An empty stream has ' +
      '`firstOffset` = `nextOffset`.'
    ),
    leader: Type.Union([Type.String(), Type.Null()], {
      description: '`host:port` as the broker advertises it; null while the stream has no leader.'
    }),
    replicas: Type.Array(Type.String(), { description: 'The other nodes with a copy, each as `host:port`.' }),
    arguments: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), {
        description: 'The arguments that the stream was created with. Only with the management API.'
      })
    ),
    segments: Type.Optional(
      Type.Integer({
        minimum: 0,
        description: 'The number of segments. Only with the management API, from some seconds after the stream was ' +
          'created.'
      })
    ),
    sources: Type.Object({ management: SourceState }, {
      title: 'StreamSources',
      description: 'Which sources the answer is made from.'
    })
  },
  { $id: 'Stream' }
)

/** Streams: list, create, describe, delete. */
export const streamRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of [StreamList, Description]) app.addSchema(schema)
  listStreams(app)
  createStream(app)
  describeStream(app)
  deleteStream(app)
}

function listStreams (app: ApiApp): void {
  app.get(
    '/streams',
    {
      config: {
        problems: [
          'bad_request', 'validation_failed', 'internal_error', 'management_not_configured', 'management_unavailable'
        ]
      },
      schema: {
        operationId: 'listStreams',
        tags,
        summary: 'List streams',
        description:
          'Names in ascending order, from the management API: the streams that the caller may read or write.',
        querystring: ListQuery,
        response: { 200: json('A page of names.', StreamList, { streams: ['hello'], nextCursor: null }) }
      }
    },
    async (request) => {
      const { rights } = callerOf(request)
      return await brokerOf(request).streams.list(
        request.query, (stream) => rights.allows('read', stream) || rights.allows('write', stream)
      )
    }
  )
}

function createStream (app: ApiApp): void {
  app.put(
    '/streams/:stream',
    {
      bodyLimit: MAX_ARGUMENTS_BYTES,
      config: {
        problems: [
          ...BROKER_PROBLEMS.filter((code) => code !== 'stream_not_found'), ...BODY_PROBLEMS,
          'stream_arguments_differ', 'super_stream_exists', 'management_unavailable'
        ],
        hasOptionalBody: true
      },
      schema: {
        operationId: 'createStream',
        tags,
        summary: 'Create a stream',
        description:
          'Creating a stream that exists is not an error, unless a given argument differs from what the stream has. ' +
          'Arguments that are left out are not compared. Arguments cannot be changed afterwards. Without the ' +
          'management API the broker only tells whether all arguments are the same: then a request that gives some ' +
          'of them is answered with 409 `stream_arguments_differ`.',
        params: StreamParams,
        body: Arguments,
        response: {
          200: json('The stream exists.', Created, { name: 'hello', arguments: { maxAge: '7D' } }),
          201: json('The stream was created.', Created, { name: 'hello', arguments: {} })
        }
      }
    },
    async (request, reply) => {
      const { stream } = request.params
      const { outcome, arguments: args } = await brokerOf(request).streams.create(stream, request.body)
      return reply.code(outcome === 'created' ? 201 : 200)
        .send({ name: stream, ...(args !== undefined && { arguments: args }) })
    }
  )
}

function describeStream (app: ApiApp): void {
  app.get(
    '/streams/:stream',
    {
      config: { problems: BROKER_PROBLEMS },
      schema: {
        operationId: 'describeStream',
        tags,
        summary: 'Describe a stream',
        description: 'Where the stream begins and ends, on which nodes it is, and the arguments that it has.',
        params: StreamParams,
        response: {
          200: json('The stream.', Description, {
            name: 'hello',
            firstOffset: 0,
            nextOffset: 3,
            leader: 'localhost:5552',
            replicas: [],
            arguments: { maxAge: '7D' },
            segments: 1,
            sources: { management: 'ok' }
          })
        }
      }
    },
    async (request) => await brokerOf(request).streams.describe(request.params.stream)
  )
}

function deleteStream (app: ApiApp): void {
  app.delete(
    '/streams/:stream',
    {
      config: { problems: [...BROKER_PROBLEMS, 'stream_is_partition'] },
      schema: {
        operationId: 'deleteStream',
        tags: ['Deletion'],
        summary: 'Delete a stream',
        description: 'Deletes the stream with all its messages and stored offsets. A partition of a super stream ' +
          'is refused unless `partition` is true.',
        params: StreamParams,
        querystring: DeleteQuery,
        response: { 204: { description: 'The stream was deleted.', type: 'null' } }
      }
    },
    async (request, reply) => {
      await brokerOf(request).streams.delete(request.params.stream, request.query.partition)
      return reply.code(204).send()
    }
  )
}
