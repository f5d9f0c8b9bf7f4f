import { Type, type FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { isProblemCode, PROBLEM_CODES, PROBLEMS, RequestError, type ProblemCode } from '../api/problems.ts'
import { strictObject } from '../api/schemas.ts'

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
            content: { 'text/markdown': { schema: Type.String() } }
          }
        }
      }
    },
    async (request, reply) => {
      const { code } = request.params
      if (!isProblemCode(code)) {
        throw new RequestError('route_not_found', `this code does not exist; the codes are ${PROBLEM_CODES.join(', ')}`)
      }
      return reply.type('text/markdown; charset=utf-8').send(describe(code))
    }
  )
}

function describe (code: ProblemCode): string {
  const { status, title, when, remedy } = PROBLEMS[code]
  return `# ${title}\n\n\`${code}\`, status ${status}\n\n${when}\n\n${remedy}\n`
}
