import { Type, type FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { ApiApp } from '../http/api-app.ts'
import { brokerOf } from '../http/caller.ts'
import {
  BROKER_PROBLEMS, json, PublisherParams, Sources, StreamParams
} from '../api/schemas.ts'
import { liveConnection } from '../api/live-connection.ts'
import { storedNumber, storedNumberOrNull } from '../api/stored-number.ts'

const PublisherList = Type.Object(
  {
    publishers: Type.Array(
      Type.Object({
        name: Type.String(),
        lastPublishingId: storedNumberOrNull(
          'The highest publishing id stored under this name; null when the broker has none.'
        ),
        connections: Type.Array(Type.Object(
          liveConnection,
          { title: 'PublisherConnection' }
        ), {
          description: 'The connections that publish under this name now.'
        })
      }, { title: 'KnownPublisher' })
    ),
    sources: Sources
  },
  { $id: 'PublisherList' }
)

const Publisher = Type.Object(
  {
    name: Type.String(),
    lastPublishingId: storedNumber(
      'The highest publishing id stored under this name; 0 also for a name that the broker does not know.'
    )
  },
  { $id: 'Publisher' }
)

/** Publisher names, and the publishing ids that the broker keeps for them. */
export const publisherRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of [PublisherList, Publisher]) app.addSchema(schema)
  listPublishers(app)
  describePublisher(app)
}

function listPublishers (app: ApiApp): void {
  app.get(
    '/streams/:stream/publishers',
    {
      config: { problems: BROKER_PROBLEMS },
      schema: {
        operationId: 'listPublishers',
        tags: ['Publishers'],
        summary: 'List publishers',
        description: 'Every known publisher name of the stream. `sources` says whether the list is complete.',
        params: StreamParams,
        response: {
          200: json('The publishers.', PublisherList, {
            publishers: [{ name: 'my-publisher', lastPublishingId: 17, connections: [] }],
            sources: { management: 'ok', instance: 'ok' }
          })
        }
      }
    },
    async (request) => await brokerOf(request).publishing.listPublishers(request.params.stream)
  )
}

function describePublisher (app: ApiApp): void {
  app.get(
    '/streams/:stream/publishers/:publisher',
    {
      config: { problems: BROKER_PROBLEMS },
      schema: {
        operationId: 'describePublisher',
        tags: ['Publishers'],
        summary: 'Describe a publisher',
        description: 'After a restart, a publisher learns here with which publishing id to continue.',
        params: PublisherParams,
        response: { 200: json('The publisher.', Publisher, { name: 'my-publisher', lastPublishingId: 17 }) }
      }
    },
    async (request) => {
      const { stream, publisher } = request.params
      return await brokerOf(request).publishing.describePublisher(stream, publisher)
    }
  )
}
