import { Type } from '@fastify/type-provider-typebox'
import { fastify } from 'fastify'
import { MessageWrite } from '../../src/messages/schemas.ts'
import { work } from './worker.ts'

/** Where it listens. */
export interface BareRouteConfig {
  readonly port: number
}

/*
 * What HTTP alone costs: a Fastify server with its own defaults, one route with the path, the schema and the answer of
 * `publishMessages`, and nothing behind it. No logger, no request ids of its own, no metrics, no limits.
 */
await work<BareRouteConfig>(async ({ port }) => {
  const app = fastify({ ajv: { customOptions: { allowUnionTypes: true } } })
  app.addSchema({ ...MessageWrite, $id: 'MessageWrite' })
  app.post(
    '/v1/streams/:stream/messages',
    {
      schema: {
        params: Type.Object({ stream: Type.String({ minLength: 1, maxLength: 200 }) }, { additionalProperties: false }),
        querystring: Type.Object({ publisher: Type.Optional(Type.String()) }, { additionalProperties: false }),
        body: Type.Object(
          { messages: Type.Array(Type.Ref('MessageWrite'), { minItems: 1, maxItems: 10_000 }) },
          { additionalProperties: false }
        ),
        response: { 200: Type.Object({ confirmed: Type.Integer(), duplicates: Type.Integer() }) }
      }
    },
    async () => ({ confirmed: 1, duplicates: 0 })
  )
  await app.listen({ host: '127.0.0.1', port })
  // The load comes from another worker. This one only has to have a round.
  return async (seconds) => ({ count: 0, seconds, latenciesMs: [] })
})
