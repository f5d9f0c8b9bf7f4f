import type { FastifyReply } from 'fastify'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { ApiApp } from '../http/api-app.ts'
import { brokerOf } from '../http/caller.ts'
import { partitionCheck } from '../http/partition-check.ts'
import { invalidRequest, problemCodeOf } from '../api/problems.ts'
import { bareTarget, targetOf } from '../api/reset-target.ts'
import {
  BODY_PROBLEMS, json, SUPER_STREAM_PROBLEMS, SuperStreamConsumerParams, SuperStreamParams
} from '../api/schemas.ts'
import {
  CommitOffsets, ResetOffsets, StoredOffsets, SuperStreamConsumerList, SuperStreamOffsets
} from '../api/super-stream-consumer-schemas.ts'
import type { PartitionStored, Position } from '../streams/index.ts'

const MAX_BODY_BYTES = 256 * 1024
const tags = ['Super streams']
const EXAMPLE_PLACE = { storedOffset: 41, nextOffset: 42, state: 'ok', lag: 0 }

/** Consumers of super streams, and the offsets that the broker keeps for them in each partition. */
export const superStreamConsumerRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of [SuperStreamConsumerList, SuperStreamOffsets, StoredOffsets]) app.addSchema(schema)
  listConsumers(app)
  storeOffsets(app)
  getOffsets(app)
  resetOffsets(app)
}

function listConsumers (app: ApiApp): void {
  app.get(
    '/super-streams/:superStream/consumers',
    {
      config: { problems: [...SUPER_STREAM_PROBLEMS, 'stream_not_found'] },
      schema: {
        operationId: 'listSuperStreamConsumers',
        tags,
        summary: 'List consumers of a super stream',
        description: 'Every known consumer of any partition, with what is known of it in each.',
        params: SuperStreamParams,
        response: {
          200: json('The consumers.', SuperStreamConsumerList, {
            consumers: [{
              name: 'my-app',
              lag: 0,
              partitions: [
                { partition: 'orders-0', ...EXAMPLE_PLACE, subscriptions: [], lastReadAt: null, lastCommitAt: null }
              ]
            }],
            sources: { management: 'ok', instance: 'ok' }
          })
        }
      }
    },
    async (request) => {
      const { consumers, sources } =
        await brokerOf(request).merged.consumers.list(request.params.superStream, partitionCheck(request))
      return {
        consumers: consumers.map(({ name, partitions }) => ({ name, lag: sumOfLags(partitions), partitions })),
        sources
      }
    }
  )
}

function getOffsets (app: ApiApp): void {
  app.get(
    '/super-streams/:superStream/consumers/:consumer/offset',
    {
      config: { problems: [...SUPER_STREAM_PROBLEMS, 'stream_not_found'] },
      schema: {
        operationId: 'getSuperStreamOffsets',
        tags,
        summary: 'Get the stored offsets of all partitions',
        description: 'How far the consumer has come in each partition, and how much is left.',
        params: SuperStreamConsumerParams,
        response: {
          200: json('The stored offsets.', SuperStreamOffsets, {
            partitions: [{ partition: 'orders-0', ...EXAMPLE_PLACE, firstOffset: 0, lastOffset: 41 }], lag: 0
          })
        }
      }
    },
    async (request) => {
      const { superStream, consumer } = request.params
      const partitions =
        await brokerOf(request).merged.consumers.storedOffsets(superStream, consumer, partitionCheck(request))
      return { partitions, lag: sumOfLags(partitions) }
    }
  )
}

const STORED_RESPONSES = {
  200: json('The offsets are stored.', StoredOffsets, {
    partitions: [{ partition: 'orders-0', storedOffset: 0, nextOffset: 1 }]
  }),
  207: json('Some of the offsets are stored.', StoredOffsets, {
    partitions: [
      { partition: 'orders-0', storedOffset: 0, nextOffset: 1 },
      { partition: 'orders-1', code: 'stream_not_available', detail: 'orders-1: the stream has no leader' }
    ]
  })
}

function storeOffsets (app: ApiApp): void {
  app.put(
    '/super-streams/:superStream/consumers/:consumer/offset',
    {
      bodyLimit: MAX_BODY_BYTES,
      config: {
        namesPartitions: true,
        problems: [
          ...SUPER_STREAM_PROBLEMS, ...BODY_PROBLEMS, 'stream_not_found', 'offset_goes_back', 'offset_beyond_end',
          'expectation_failed'
        ]
      },
      schema: {
        operationId: 'storeSuperStreamOffsets',
        tags,
        summary: 'Commit offsets in several partitions',
        description:
          'Says how far each partition is processed. All offsets are checked first: when one is refused, nothing is ' +
          'stored, and `partition` names it. Then all are stored; 207 says which of them failed after the checks.',
        params: SuperStreamConsumerParams,
        body: CommitOffsets,
        response: STORED_RESPONSES
      }
    },
    async (request, reply) => {
      const { params: { superStream, consumer }, body: { offsets, expected = {} } } = request
      const commits = { offsets: new Map(Object.entries(offsets)), expected: new Map(Object.entries(expected)) }
      const needless = Object.keys(expected).find((partition) => !commits.offsets.has(partition))
      if (needless !== undefined) {
        const message = 'must not name a partition that offsets does not name'
        throw invalidRequest([{ pointer: '/expected', message }])
      }
      const { consumers } = brokerOf(request).merged
      return send(reply, await consumers.storeOffsets(superStream, consumer, commits, partitionCheck(request)))
    }
  )
}

function resetOffsets (app: ApiApp): void {
  app.post(
    '/super-streams/:superStream/consumers/:consumer/offset/reset',
    {
      bodyLimit: MAX_BODY_BYTES,
      preValidation: (request, _reply, done) => { done(bareTarget(request.body)) },
      config: {
        problems: [...SUPER_STREAM_PROBLEMS, ...BODY_PROBLEMS, 'stream_not_found', 'offset_beyond_end'],
        namesPartitions: true
      },
      schema: {
        operationId: 'resetSuperStreamOffsets',
        tags,
        summary: 'Reset a consumer in all partitions, or in some',
        description:
          'Sets the next message to be delivered, back or forward, as a reset in each partition does. All positions ' +
          'are checked first, then all are stored; 207 says which of them failed after the checks.',
        params: SuperStreamConsumerParams,
        body: ResetOffsets,
        response: STORED_RESPONSES
      }
    },
    async (request, reply) => {
      const { params: { superStream, consumer }, body: { to, partitions } } = request
      if ((to === undefined) === (partitions === undefined)) {
        throw invalidRequest([{ pointer: '', message: 'needs either "to" or "partitions"' }])
      }
      const target: Position | ReadonlyMap<string, Position> = to !== undefined
        ? targetOf(to, '/to')
        : new Map(Object.entries(partitions ?? {}).map(([name, own]) => [name, targetOf(own, `/partitions/${name}`)]))
      const { consumers } = brokerOf(request).merged
      return send(reply, await consumers.resetOffsets(superStream, consumer, target, partitionCheck(request)))
    }
  )
}

function send (reply: FastifyReply, results: readonly PartitionStored[]) {
  const partitions = results.map((result) => {
    if (!('error' in result)) return result
    const { partition, error } = result
    return { partition, code: problemCodeOf(error.code), detail: error.message }
  })
  void reply.code(results.some((result) => 'error' in result) ? 207 : 200)
  return { partitions }
}

function sumOfLags (partitions: ReadonlyArray<{ readonly lag: bigint | null }>): bigint | null {
  let sum = 0n
  for (const { lag } of partitions) {
    if (lag === null) return null
    sum += lag
  }
  return sum
}
