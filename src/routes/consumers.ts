import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { ApiApp } from '../http/api-app.ts'
import { brokerOf } from '../http/caller.ts'
import { Commit, ConsumerList, ConsumerOffset, Reset, Stored } from '../api/consumer-schemas.ts'
import { BODY_PROBLEMS, BROKER_PROBLEMS, ConsumerParams, json, StreamParams } from '../api/schemas.ts'
import { bareTarget, targetOf } from '../api/reset-target.ts'

const MAX_BODY_BYTES = 16 * 1024
const tags = ['Consumers']

/** Consumers and the offsets that the broker keeps for them. */
export const consumerRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of [ConsumerList, ConsumerOffset, Stored]) app.addSchema(schema)
  listConsumers(app)
  storeOffset(app)
  getStoredOffset(app)
  resetOffset(app)
}

function listConsumers (app: ApiApp): void {
  app.get(
    '/streams/:stream/consumers',
    {
      config: { problems: BROKER_PROBLEMS },
      schema: {
        operationId: 'listConsumers',
        tags,
        summary: 'List consumers',
        description:
          'Every known consumer of the stream, also those that have read through this instance and never committed. ' +
          '`sources` says whether the list is complete. A name stays for as long as RabbitMQ keeps its offset and ' +
          'cannot be removed, so do not use a name for each process.',
        params: StreamParams,
        response: {
          200: json('The consumers.', ConsumerList, {
            consumers: [{
              name: 'my-app',
              storedOffset: 41,
              nextOffset: 42,
              state: 'ok',
              lag: 0,
              subscriptions: [],
              lastReadAt: '2026-01-31T12:00:00.000Z',
              lastCommitAt: '2026-01-31T12:00:00.000Z'
            }],
            sources: { management: 'ok', instance: 'ok' }
          })
        }
      }
    },
    async (request) => await brokerOf(request).consumers.list(request.params.stream)
  )
}

function getStoredOffset (app: ApiApp): void {
  app.get(
    '/streams/:stream/consumers/:consumer/offset',
    {
      config: { problems: [...BROKER_PROBLEMS, 'consumer_offset_not_found'] },
      schema: {
        operationId: 'getStoredOffset',
        tags,
        summary: 'Get the stored offset',
        description: 'How far the consumer has come, and how much is left.',
        params: ConsumerParams,
        response: {
          200: json('The stored offset.', ConsumerOffset, {
            storedOffset: 41,
            nextOffset: 42,
            firstOffset: 0,
            lastOffset: 99,
            state: 'ok',
            lag: 58
          })
        }
      }
    },
    async (request) => await brokerOf(request).consumers.storedOffset(request.params.stream, request.params.consumer)
  )
}

function storeOffset (app: ApiApp): void {
  app.put(
    '/streams/:stream/consumers/:consumer/offset',
    {
      bodyLimit: MAX_BODY_BYTES,
      config: {
        problems: [...BROKER_PROBLEMS, ...BODY_PROBLEMS, 'offset_goes_back', 'offset_beyond_end', 'expectation_failed']
      },
      schema: {
        operationId: 'storeOffset',
        tags,
        summary: 'Commit an offset',
        description:
          'Says that all messages up to and including this offset are processed. The offset is stored and read back; ' +
          "the answer comes when a majority of the stream's members has it.",
        params: ConsumerParams,
        body: Commit,
        response: { 200: json('The offset is stored.', Stored, { storedOffset: 0, nextOffset: 1 }) }
      }
    },
    async (request) => {
      const { stream, consumer } = request.params
      const { offset, expected } = request.body
      return await brokerOf(request).consumers.storeOffset(stream, consumer, offset, expected)
    }
  )
}

function resetOffset (app: ApiApp): void {
  app.post(
    '/streams/:stream/consumers/:consumer/offset/reset',
    {
      bodyLimit: MAX_BODY_BYTES,
      preValidation: (request, _reply, done) => { done(bareTarget(request.body)) },
      config: { problems: [...BROKER_PROBLEMS, ...BODY_PROBLEMS, 'offset_beyond_end'] },
      schema: {
        operationId: 'resetOffset',
        tags,
        summary: 'Reset a consumer',
        description:
          'Sets the next message to be delivered, back or forward. For offset 1 that is message 0, because the ' +
          'broker stores the same value for both. The reset takes effect with the next read, on every instance; ' +
          'waiting reads notice it within five seconds (docs/guarantees.md, Offset 0, names one case in which they ' +
          'do not). A commit of messages read earlier undoes the reset, unless it gives `expected`.',
        params: ConsumerParams,
        body: Reset,
        response: { 200: json('The offset that is stored now.', Stored, { storedOffset: 0, nextOffset: 0 }) }
      }
    },
    async (request) => {
      const { stream, consumer } = request.params
      return await brokerOf(request).consumers.resetOffset(stream, consumer, targetOf(request.body.to, '/to'))
    }
  )
}
