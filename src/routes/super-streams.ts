import { Type, type FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { ApiApp } from '../http/api-app.ts'
import { brokerOf, callerOf } from '../http/caller.ts'
import { partitionCheck } from '../http/partition-check.ts'
import { invalidRequest } from '../api/problems.ts'
import { BODY_PROBLEMS, json, strictObject, SUPER_STREAM_PROBLEMS, SuperStreamParams } from '../api/schemas.ts'
import { NameQuery, STREAM_ARGUMENT_PROPERTIES, STREAM_DESCRIPTION_PROPERTIES } from '../api/stream-schemas.ts'

const MAX_BODY_BYTES = 1024 * 1024
const MAX_PARTITIONS = 1000
const MAX_KEY_BYTES = 255
const tags = ['Super streams']

const SuperStreamList = Type.Object(
  {
    superStreams: Type.Array(Type.String()),
    nextCursor: Type.Union([Type.String(), Type.Null()], {
      description: 'Where the next page begins; null on the last one.'
    })
  },
  { $id: 'SuperStreamList' }
)

const ToCreate = strictObject(
  {
    partitions: Type.Optional(Type.Integer({
      minimum: 1,
      maximum: MAX_PARTITIONS,
      description: 'How many partitions; their binding keys are 0, 1, 2 and so on. At most ' +
        '`SUPER_STREAM_MAX_PARTITIONS`.'
    })),
    bindingKeys: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: MAX_KEY_BYTES }), {
      minItems: 1,
      maxItems: MAX_PARTITIONS,
      uniqueItems: true,
      description: 'In place of `partitions`: a partition for each of these keys, named `{superStream}-{key}`. A key ' +
        `has at most ${MAX_KEY_BYTES} bytes.`
    })),
    ...STREAM_ARGUMENT_PROPERTIES
  },
  {
    title: 'SuperStreamToCreate',
    description: 'Either `partitions` or `bindingKeys`, and the arguments of each partition.',
    'x-examples': {
      partitions: { summary: 'Three partitions', value: { partitions: 3 } },
      bindingKeys: { summary: 'A partition for each region', value: { bindingKeys: ['eu', 'us'], maxAge: '7D' } }
    }
  }
)

const Created = Type.Object(
  {
    name: Type.String(),
    partitions: Type.Array(Type.String(), { description: 'The names of the partitions, which are streams.' })
  },
  { title: 'CreatedSuperStream' }
)

const orNull = (schema: object, description: string) =>
  Type.Unsafe<number | null>({ ...schema, type: ['integer', 'null'], description })

const { firstOffset, nextOffset, leader, replicas, sources, ...details } = STREAM_DESCRIPTION_PROPERTIES

const Description = Type.Object(
  {
    name: Type.String(),
    partitions: Type.Array(Type.Object(
      {
        partition: Type.String({ description: 'The name of the partition, which is a stream.' }),
        bindingKey: Type.Optional(Type.String({
          description: 'The key that it is bound with: from the management API, otherwise what its name says.'
        })),
        firstOffset: orNull(firstOffset, `${firstOffset.description} Null when it is not known now.`),
        nextOffset: orNull(nextOffset, `${nextOffset.description} Null when it is not known now.`),
        leader,
        replicas,
        ...details,
        sources: Type.Optional(sources),
        fault: Type.Optional(Type.Object(
          { code: Type.String(), detail: Type.String() },
          { title: 'PartitionFault', description: 'Why the partition cannot be described now.' }
        ))
      },
      { title: 'Partition' }
    ), { description: 'In the order of the broker, by which hashes choose.' })
  },
  { $id: 'SuperStream' }
)

/** What the routes of super streams need to know. */
export interface SuperStreamLimits { readonly maxPartitions: number }

/** Super streams: list, create, describe, delete. */
export const superStreamRoutes: FastifyPluginAsyncTypebox<SuperStreamLimits> = async (app, { maxPartitions }) => {
  for (const schema of [SuperStreamList, Description]) app.addSchema(schema)
  listSuperStreams(app)
  createSuperStream(app, maxPartitions)
  describeSuperStream(app)
  deleteSuperStream(app)
}

function listSuperStreams (app: ApiApp): void {
  app.get(
    '/super-streams',
    {
      config: {
        problems: [
          'bad_request', 'validation_failed', 'internal_error', 'management_not_configured', 'management_unavailable'
        ]
      },
      schema: {
        operationId: 'listSuperStreams',
        tags,
        summary: 'List super streams',
        description:
          'Names in ascending order, from the management API: the super streams that the caller may read or write.',
        querystring: NameQuery,
        response: { 200: json('A page of names.', SuperStreamList, { superStreams: ['orders'], nextCursor: null }) }
      }
    },
    async (request) => {
      const { rights } = callerOf(request)
      return await brokerOf(request).superStreams.list(
        request.query, (name) => rights.allows('read', name) || rights.allows('write', name)
      )
    }
  )
}

function createSuperStream (app: ApiApp, maxPartitions: number): void {
  app.put(
    '/super-streams/:superStream',
    {
      bodyLimit: MAX_BODY_BYTES,
      config: {
        namesPartitions: true,
        problems: [
          ...SUPER_STREAM_PROBLEMS.filter((code) => code !== 'super_stream_not_found'), ...BODY_PROBLEMS,
          'super_stream_differs', 'stream_arguments_differ', 'management_unavailable'
        ]
      },
      schema: {
        operationId: 'createSuperStream',
        tags,
        summary: 'Create a super stream',
        description:
          'Creates the partitions, which are streams, and what binds them together. Creating a super stream that ' +
          'exists is not an error, unless its partitions have other names or other values of the arguments that are ' +
          'given. The answer has the partitions in their order. When the broker cannot create all partitions it ' +
          'takes back what it has created.',
        params: SuperStreamParams,
        body: ToCreate,
        response: {
          200: json('The super stream exists.', Created, { name: 'orders', partitions: ['orders-0', 'orders-1'] }),
          201: json('The super stream was created.', Created, { name: 'orders', partitions: ['orders-0', 'orders-1'] })
        }
      }
    },
    async (request, reply) => {
      const { params: { superStream }, body: { partitions, bindingKeys, ...args } } = request
      const keys = keysOf(partitions, bindingKeys, maxPartitions)
      const created = await brokerOf(request).superStreams.create(superStream, keys, args, partitionCheck(request))
      return reply.code(created.outcome === 'created' ? 201 : 200)
        .send({ name: superStream, partitions: created.partitions })
    }
  )
}

function keysOf (
  partitions: number | undefined, bindingKeys: readonly string[] | undefined, maxPartitions: number
): readonly string[] {
  if ((partitions === undefined) === (bindingKeys === undefined)) {
    throw invalidRequest([{ pointer: '', message: 'needs either "partitions" or "bindingKeys"' }])
  }
  const pointer = partitions === undefined ? '/bindingKeys' : '/partitions'
  const count = partitions ?? bindingKeys?.length ?? 0
  if (count > maxPartitions) {
    const message = `a super stream may have ${maxPartitions} partitions, by SUPER_STREAM_MAX_PARTITIONS of the gateway`
    throw invalidRequest([{ pointer, message }])
  }
  const tooLong = bindingKeys?.findIndex((key) => Buffer.byteLength(key) > MAX_KEY_BYTES) ?? -1
  if (tooLong >= 0) {
    throw invalidRequest([{ pointer: `${pointer}/${tooLong}`, message: `has more than ${MAX_KEY_BYTES} bytes` }])
  }
  return bindingKeys ?? Array.from({ length: count }, (_, index) => String(index))
}

function describeSuperStream (app: ApiApp): void {
  app.get(
    '/super-streams/:superStream',
    {
      config: { problems: SUPER_STREAM_PROBLEMS },
      schema: {
        operationId: 'describeSuperStream',
        tags,
        summary: 'Describe a super stream',
        description:
          'Its partitions, each as a stream is described. A partition that cannot be described now has a `fault`.',
        params: SuperStreamParams,
        response: {
          200: json('The super stream.', Description, {
            name: 'orders',
            partitions: [{
              partition: 'orders-0',
              bindingKey: '0',
              firstOffset: 0,
              nextOffset: 3,
              leader: 'localhost:5552',
              replicas: [],
              sources: { management: 'not_configured' }
            }]
          })
        }
      }
    },
    async (request) => {
      const { superStream } = request.params
      const partitions = await brokerOf(request).superStreams.describe(superStream, partitionCheck(request))
      return { name: superStream, partitions }
    }
  )
}

function deleteSuperStream (app: ApiApp): void {
  app.delete(
    '/super-streams/:superStream',
    {
      config: { problems: [...SUPER_STREAM_PROBLEMS, 'management_unavailable'] },
      schema: {
        operationId: 'deleteSuperStream',
        tags: ['Deletion'],
        summary: 'Delete a super stream',
        description: 'Deletes the super stream and its partitions, with all their messages and stored offsets.',
        params: SuperStreamParams,
        response: { 204: { description: 'The super stream was deleted.', type: 'null' } }
      }
    },
    async (request, reply) => {
      await brokerOf(request).superStreams.delete(request.params.superStream, partitionCheck(request))
      return reply.code(204).send()
    }
  )
}
