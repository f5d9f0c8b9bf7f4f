import { Type, type FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { json } from '../api/schemas.ts'
import { negotiate } from '../http/accept.ts'
import { escapeHtml, htmlPage, PAGE_HEADERS } from '../http/html-page.ts'
import { vary } from '../http/vary.ts'

const LINKS = {
  documentation: ['/docs/', 'Every operation, to read and to try'],
  openapi: ['/openapi.json', 'The same as an OpenAPI document, for programs'],
  ready: ['/health/ready', 'Whether the broker can be reached'],
  metrics: ['/metrics', 'Figures for Prometheus']
} as const

const Entry = Type.Object({
  name: Type.String(),
  version: Type.String(),
  links: Type.Object(Object.fromEntries(Object.keys(LINKS).map((name) => [name, Type.String()])), {
    description: 'Paths.'
  })
}, { title: 'GatewayEntry' })
const NAME = 'RabbitMQ Stream Gateway'

type Link = keyof typeof LINKS

export interface RootOptions {
  version: string
  /** What this port does not have. */
  hidden: readonly Link[]
}

/** Where a newcomer begins: the way to everything else. */
export const rootRoutes: FastifyPluginAsyncTypebox<RootOptions> = async (app, { version, hidden }) => {
  const shown = Object.entries(LINKS).filter(([name]) => !hidden.some((link) => link === name))
  const entryOf = (prefix: string, entries = shown) => {
    const links = entries.map(([name, [path]]) => [name, prefix + path])
    return { name: NAME, version, links: Object.fromEntries(links) }
  }
  const example = json('The way to the rest. A page for people, or JSON.', Entry, entryOf('', Object.entries(LINKS)))
  app.get(
    '/',
    {
      config: { problems: ['bad_request', 'validation_failed', 'internal_error'] },
      schema: {
        operationId: 'describeGateway',
        tags: ['Operations'],
        summary: 'Where everything is',
        description: 'The paths of the documentation, the health checks and the metrics.',
        response: { 200: { ...example, content: { ...example.content, 'text/html': { schema: Type.String() } } } }
      }
    },
    async (request, reply) => {
      const prefix = app.publicPrefix(request)
      vary(reply, 'Accept')
      const type = negotiate(request.headers.accept, ['text/html', 'application/json'])
      if (type === 'application/json') {
        return await reply.type('application/json').send(JSON.stringify(entryOf(prefix)))
      }
      const links = shown.map(([, link]) => link)
      return await reply.headers(PAGE_HEADERS).send(pageOf(prefix, version, links))
    }
  )
}

function pageOf (prefix: string, version: string, shown: ReadonlyArray<typeof LINKS[Link]>): string {
  const links = shown.map(([path, text]) =>
    `<li><a href="${escapeHtml(prefix + path)}">${escapeHtml(path)}</a><br>${escapeHtml(text)}</li>`)
  return htmlPage(NAME, `<h1>${NAME}</h1>
<p>Publish to RabbitMQ streams and read from them over HTTP. Version ${escapeHtml(version)}.</p>
<ul>
${links.join('\n')}
</ul>`)
}
