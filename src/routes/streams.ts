import { Type, type FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { ApiApp } from '../http/api-app.ts'
import { brokerOf, callerOf } from '../http/caller.ts'
import { BODY_PROBLEMS, BROKER_PROBLEMS, json, StreamParams, strictObject } from '../api/schemas.ts'
import { NameQuery, STREAM_ARGUMENT_PROPERTIES, STREAM_DESCRIPTION_PROPERTIES } from '../api/stream-schemas.ts'

const MAX_ARGUMENTS_BYTES = 64 * 1024
const tags = ['Streams']

const StreamList = Type.Object(
  {
    streams: Type.Array(Type.String()),
    nextCursor: Type.Union([Type.String(), Type.Null()], {
      description: 'Where the next page begins; null on the last one.'
    })
  },
  { $id: 'StreamList' }
)

const Arguments = strictObject(
  STREAM_ARGUMENT_PROPERTIES,
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
  force: Type.Boolean({
    default: false, description: 'Delete the stream also when it is a partition of a super stream.'
  })
})

const Description = Type.Object({ name: Type.String(), ...STREAM_DESCRIPTION_PROPERTIES }, { $id: 'Stream' })

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
        querystring: NameQuery,
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
          'is refused unless `force` is true.',
        params: StreamParams,
        querystring: DeleteQuery,
        response: { 204: { description: 'The stream was deleted.', type: 'null' } }
      }
    },
    async (request, reply) => {
      await brokerOf(request).streams.delete(request.params.stream, request.query.force)
      return reply.code(204).send()
    }
  )
}
