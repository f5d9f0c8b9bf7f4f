import { Type, type FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { BROKER_PROBLEMS, json, offset, StreamParams, strictObject } from '../api/schemas.ts'
import type { ApiApp } from '../http/api-app.ts'
import { brokerOf } from '../http/caller.ts'

const MAX_SECONDS = 7200

const HistoryQuery = strictObject({
  seconds: Type.Integer({
    minimum: 1, maximum: MAX_SECONDS, default: MAX_SECONDS, description: 'How far to look back.'
  })
})

const Sample = Type.Object({
  at: Type.String({ format: 'date-time', description: 'When the stream was looked at.' }),
  firstOffset: offset('The first offset that the stream had.'),
  nextOffset: offset('The offset after the last one. The broker\'s own records take offsets too.')
}, { title: 'StreamSample' })

const History = Type.Object({
  name: Type.String(),
  firstOffset: offset('The first offset that the stream has now.'),
  nextOffset: offset('The offset after the last one now.'),
  intervalSeconds: Type.Union([Type.Integer({ minimum: 1 }), Type.Null()], {
    description: 'How often the stream is looked at. Null: `LAG_STREAMS` does not name it, or the gateway has not ' +
      'looked at it yet.'
  }),
  samples: Type.Array(Sample, {
    description: 'The oldest first. This instance keeps them in its memory since it started, for two hours. With ' +
      'very many streams and a short interval it keeps fewer than it takes. They begin anew with a stream that was ' +
      'deleted and created again, and when the clock of the instance goes back.'
  })
}, { $id: 'StreamHistory' })

/** How a stream has grown. */
export const historyRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.addSchema(History)
  getStreamHistory(app)
}

function getStreamHistory (app: ApiApp): void {
  app.get(
    '/streams/:stream/history',
    {
      config: { problems: BROKER_PROBLEMS },
      schema: {
        operationId: 'getStreamHistory',
        tags: ['Streams'],
        summary: 'See how a stream has grown',
        description: 'Where the stream began and ended in the last two hours, for charts of its rate. Streams that ' +
          '`LAG_STREAMS` does not name have no samples.',
        params: StreamParams,
        querystring: HistoryQuery,
        response: {
          200: json('The samples.', History, {
            name: 'hello',
            firstOffset: 0,
            nextOffset: 130,
            intervalSeconds: 30,
            samples: [
              { at: '2026-01-31T12:00:00.000Z', firstOffset: 0, nextOffset: 100 },
              { at: '2026-01-31T12:00:30.000Z', firstOffset: 0, nextOffset: 130 }
            ]
          })
        }
      }
    },
    async (request) => {
      const { params: { stream }, query: { seconds } } = request
      // With the rights of the caller. The samples are the gateway's own.
      const bounds = await brokerOf(request).streams.bounds(stream)
      const samples = app.broker.sampling.history(stream, Date.now() - seconds * 1000)
      return {
        name: stream,
        ...bounds,
        intervalSeconds: samples === undefined ? null : app.samplingSeconds ?? null,
        samples: (samples ?? []).map(({ timeMs, ...offsets }) => ({ at: new Date(timeMs).toISOString(), ...offsets }))
      }
    }
  )
}
