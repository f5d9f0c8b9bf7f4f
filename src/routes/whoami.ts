import { Type, type FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Caller } from '../access/caller.ts'
import { callerOf } from '../http/caller.ts'
import { json } from '../api/schemas.ts'

const patterns = (description: string) => Type.Optional(Type.Array(Type.String(), { description }))

const Whoami = Type.Object({
  caller: Type.String({ description: 'The name of the key, the user, or the subject of the token or certificate.' }),
  scheme: Type.Union(['none', 'api-key', 'jwt', 'mtls', 'rabbitmq'].map((scheme) => Type.Literal(scheme)), {
    title: 'Scheme',
    description: 'How the caller has shown who it is. `none`: there is no authentication.'
  }),
  virtualHost: Type.String({ description: 'The virtual host of RabbitMQ whose streams the gateway serves.' }),
  expires: Type.Optional(
    Type.String({ format: 'date-time', description: 'When the credential ends; missing: never.' })
  ),
  scopes: patterns('What the caller may do. Missing: RabbitMQ decides, or everything is allowed.'),
  consumers: patterns('Patterns of the consumers that it may use. Missing: every name.'),
  publishers: patterns('Patterns of the publishers that it may use. Missing: every name.')
}, { $id: 'Whoami' })

/** Who the caller is, to the gateway. */
export const whoamiRoutes: FastifyPluginAsyncTypebox<{ virtualHost: string }> = async (app, { virtualHost }) => {
  app.addSchema(Whoami)
  app.get(
    '/whoami',
    {
      config: { problems: ['bad_request', 'validation_failed', 'internal_error'] },
      schema: {
        operationId: 'whoami',
        tags: ['Operations'],
        summary: 'Who am I?',
        description: 'Who the caller is to the gateway, and what it may do.',
        response: {
          200: json('The caller.', Whoami, {
            caller: 'billing', scheme: 'api-key', virtualHost: '/', scopes: ['read:*/orders*'], consumers: ['billing*']
          })
        }
      }
    },
    async (request) => described(callerOf(request), virtualHost)
  )
}

function described ({ id, scheme, expiresMs, rights }: Caller, virtualHost: string) {
  const { scopes, consumers, publishers } = rights
  return {
    caller: id,
    scheme,
    virtualHost,
    ...(expiresMs !== undefined && { expires: new Date(expiresMs).toISOString() }),
    ...(scopes && { scopes }),
    ...(consumers && { consumers }),
    ...(publishers && { publishers })
  }
}
