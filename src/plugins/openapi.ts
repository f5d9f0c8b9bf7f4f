import swagger, { type FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import swaggerUi, { type FastifySwaggerUiOptions } from '@fastify/swagger-ui'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { ProblemSchema } from '../api/problem-schema.ts'
import type { ProblemCode } from '../api/problems.ts'
import { PublishFailureSchema } from '../api/publish-failure.ts'
import type { Config } from '../config.ts'
import { urlParts } from '../http/url-parts.ts'
import type { BodyFormat } from '../messages/index.ts'
import { VERSION } from '../version.ts'
import { COMMON_RESPONSE_HEADERS, completeDocument } from './openapi-document.ts'
import { accessProblems, withSchemes } from './openapi-security.ts'
import { DOCS_THEME } from './openapi-theme.ts'
import { problemExamples, problemResponses } from './openapi-problems.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * The problems that this operation can answer, in addition to its own responses. They become part of the OpenAPI
     * document.
     */
    problems?: readonly ProblemCode[]
    /** The media types of the body, where the handler reads and checks it itself: for the document and the 415. */
    bodyFormats?: readonly BodyFormat[]
    /** Whether a body that the handler reads itself may be left out: no lines, or a message without bytes. */
    mayLackBody?: boolean
    /** Headers that the handler reads and checks itself, for the document only. */
    describedHeaders?: object
  }
}

const DESCRIPTION = `Publish to RabbitMQ streams and read from them over HTTP.

A *stream* is an append-only log: messages stay after they are read, each at its *offset*. Reading needs no session: any
instance answers any read, and the next read continues at the \`nextOffset\` of the answer. A *consumer* is a name under
which the broker keeps an offset: that of the last message processed.

Every error is \`application/problem+json\`; programs decide by its \`code\`, \`retryable\` and \`sideEffects\`.`

const TAGS = [
  { name: 'Streams', description: 'Create, describe, list.' },
  { name: 'Super streams', description: 'Streams that are partitions of one.' },
  { name: 'Publish', description: 'The answer comes when the broker has confirmed the messages.' },
  { name: 'Read', description: 'From any offset, without a session.' },
  { name: 'Consumers', description: 'Offsets kept by the broker.' },
  { name: 'Publishers', description: 'Publishing ids kept by the broker.' },
  { name: 'Push', description: 'Deliveries to HTTP endpoints.' },
  { name: 'Operations', description: 'Health and metrics.' },
  // The last one, so that every operation before it finds the stream of its example.
  { name: 'Deletion', description: 'What cannot be undone.' }
]

// Swagger UI brings its own scripts and styles; it also writes style attributes and draws data: images. Its requests go
// to this gateway only. `upgrade-insecure-requests` is left out: the gateway speaks plain HTTP, and a proxy ends TLS.
const DOCS_CSP =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' " +
  "data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** The OpenAPI document of the routes that are registered after this, and Swagger UI at /docs. */
async function openapi (app: FastifyInstance, { ways = [], docs }: Config['access']): Promise<void> {
  const optionalBodies = new Set<string>()
  app.addHook('onRoute', ({ config, schema }) => {
    const isOptional = config?.hasOptionalBody === true || config?.mayLackBody === true
    if (isOptional && schema?.operationId !== undefined) optionalBodies.add(schema.operationId)
  })
  await app.register(swagger, documentOptions(optionalBodies))
  for (const schema of [ProblemSchema, PublishFailureSchema]) app.addSchema(schema)
  if (docs === 'off') return
  const served = (document: object, request: FastifyRequest) =>
    withSchemes(underPrefix(document, app.publicPrefix(request)), ways)
  await app.register(swaggerUi, { ...UI_OPTIONS, transformSpecification: served })
  app.get('/openapi.json', { schema: { hide: true } }, (request, reply) =>
    reply.type('application/json').send(JSON.stringify(served(app.swagger(), request)))
  )
}

const DOCUMENT: NonNullable<FastifyDynamicSwaggerOptions['openapi']> = {
  openapi: '3.1.0',
  info: {
    title: 'RabbitMQ Stream Gateway',
    version: VERSION,
    description: DESCRIPTION,
    license: { name: 'MIT', identifier: 'MIT' }
  },
  servers: [{ url: '/' }],
  tags: TAGS,
  components: { headers: COMMON_RESPONSE_HEADERS, examples: problemExamples() }
}

// A generated client puts its paths behind the URL of the server.
function underPrefix (document: object, prefix: string): Record<string, unknown> {
  return prefix === '' ? { ...document } : { ...document, servers: [{ url: prefix }] }
}

function documentOptions (optionalBodies: ReadonlySet<string>): FastifyDynamicSwaggerOptions {
  return {
    convertConstToEnum: false,
    openapi: DOCUMENT,
    refResolver: {
      buildLocalReference: (schema, _baseUri, _fragment, index) =>
        typeof schema.$id === 'string' ? schema.$id : `schema-${index}`
    },
    transformObject: (result) => {
      const document = 'openapiObject' in result ? result.openapiObject : result.swaggerObject
      return Object.assign(document, completeDocument(document, optionalBodies))
    },
    transform: ({ schema, url, route }) => {
      const { problems = [], bodyFormats, describedHeaders, access } = route.config ?? {}
      const described = {
        ...(bodyFormats && { body: { content: contentOf(bodyFormats) } }),
        ...(describedHeaders && { headers: describedHeaders })
      }
      return {
        url,
        schema: {
          ...schema,
          ...described,
          response: { ...responsesOf(schema), ...problemResponses([...problems, ...accessProblems(access)]) }
        }
      }
    }
  }
}

const UI_OPTIONS: FastifySwaggerUiOptions = {
  routePrefix: '/docs',
  staticCSP: DOCS_CSP,
  transformSpecificationClone: false,
  uiHooks: { onRequest: toRelativeLinks },
  uiConfig: {
    layout: 'BaseLayout',
    docExpansion: 'list',
    filter: true,
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    tryItOutEnabled: true,
    validatorUrl: null
  },
  theme: DOCS_THEME
}

// Behind a prefix the links of the page have to be relative, which they are below /docs/ only. The next site need not
// know where the gateway is.
function toRelativeLinks (request: FastifyRequest, reply: FastifyReply, done: () => void): void {
  const { path, query } = urlParts(request.raw.url)
  const target = path === '/docs' ? 'docs/' : path === '/docs/static/index.html' ? '../' : undefined
  void reply.header('referrer-policy', 'no-referrer')
  if (target === undefined || request.server.publicPrefix(request) === '') done()
  else reply.redirect(query === undefined ? target : `${target}?${query}`)
}

function contentOf (formats: readonly BodyFormat[]): Record<string, object> {
  return Object.fromEntries(formats.map(({ mediaType, schema }) => [mediaType, { schema }]))
}

function responsesOf (schema: unknown): object {
  if (typeof schema !== 'object' || schema === null || !('response' in schema)) return {}
  return typeof schema.response === 'object' && schema.response !== null ? schema.response : {}
}

export default fp<Config['access']>(openapi, { name: 'openapi', dependencies: ['route-access'] })
