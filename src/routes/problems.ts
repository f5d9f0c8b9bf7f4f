import { Type, type FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { isProblemCode, PROBLEM_CODES, PROBLEMS, RequestError, type ProblemCode } from '../api/problems.ts'
import { strictObject } from '../api/schemas.ts'
import { negotiate } from '../http/accept.ts'
import { escapeHtml, htmlPage, PAGE_HEADERS } from '../http/html-page.ts'
import { vary } from '../http/vary.ts'

const ProblemParams = strictObject({
  code: Type.String({ description: 'The `code` of a problem.', examples: ['stream_not_found'] })
})

/** The page that the `type` of a problem points to: what the problem means and what to do. */
export const problemRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/problems/:code',
    {
      config: { problems: ['bad_request', 'validation_failed', 'route_not_found', 'internal_error'] },
      schema: {
        operationId: 'describeProblem',
        tags: ['Operations'],
        summary: 'What a problem means',
        description: 'The page that the `type` of a problem leads to: when it happens and what to do.',
        params: ProblemParams,
        response: {
          200: {
            description: 'When the problem happens and what to do.',
            content: { 'text/markdown': { schema: Type.String() }, 'text/html': { schema: Type.String() } }
          }
        }
      }
    },
    async (request, reply) => {
      const { code } = request.params
      if (!isProblemCode(code)) {
        throw new RequestError('route_not_found', `this code does not exist; the codes are ${PROBLEM_CODES.join(', ')}`)
      }
      vary(reply, 'Accept')
      const type = negotiate(request.headers.accept, ['text/markdown', 'text/html'])
      if (type === 'text/html') return await reply.headers(PAGE_HEADERS).send(pageOf(code))
      return await reply.type('text/markdown; charset=utf-8').send(describe(code))
    }
  )
}

function describe (code: ProblemCode): string {
  const { status, title, when, remedy } = PROBLEMS[code]
  return `# ${title}\n\n\`${code}\`, status ${status}\n\n${when}\n\n${remedy}\n`
}

function pageOf (code: ProblemCode): string {
  const { status, title, when, remedy } = PROBLEMS[code]
  return htmlPage(title, `<h1>${escapeHtml(title)}</h1>
<p><code>${code}</code>, status ${status}</p>
<p>${withCode(when)}</p>
<p>${withCode(remedy)}</p>`)
}

// The table marks code as Markdown does.
function withCode (text: string): string {
  return escapeHtml(text).replace(/`([^`]*)`/g, '<code>$1</code>')
}
