import type { ApiApp } from '../../http/api-app.ts'
import { brokerOf } from '../../http/caller.ts'
import { targetOf } from '../../api/reset-target.ts'
import { BODY_PROBLEMS, json } from '../../api/schemas.ts'
import { RedriveList, RedriveSchema } from '../../api/subscription-answers.ts'
import { RedriveToStart } from '../../api/subscription-requests.ts'
import { PushError } from '../../push/push-error.ts'
import { StreamsError } from '../../streams/index.ts'
import { existing } from './change.ts'
import { MAX_BODY_BYTES, tags } from './common.ts'
import { keyOf, type SourceKind } from './kinds.ts'
import { pushOf } from './port.ts'
import { refuseUnlessMay, refuseUnlessReads } from './rights.ts'
import { shownRedrive } from './shown.ts'

const EXAMPLE = {
  id: '3b1f5d0e-8a4c-4a0f-9d55-2f1f7d3f9f10',
  state: 'running',
  from: 0,
  to: 41,
  limit: null,
  class: null,
  status: null,
  requestedAt: '2026-01-31T12:00:00.000Z',
  position: 0,
  delivered: 0,
  failed: 0,
  lastFailure: null
}

export function startRedrive (app: ApiApp, kind: SourceKind): void {
  app.post(
    `${kind.path}/:subscription/redrives`,
    {
      bodyLimit: MAX_BODY_BYTES,
      config: {
        problems: [
          ...kind.problems, ...BODY_PROBLEMS, 'stream_not_found', 'offset_beyond_end', 'too_many_redrives'
        ],
        hasOptionalBody: true
      },
      schema: {
        operationId: `start${kind.subject}Redrive`,
        tags,
        summary: `Deliver messages of the error stream again, of a subscription${kind.of}`,
        description:
          'Delivers entries that the subscription has written into its error stream, in their order, with its ' +
          'secrets and to the URL that it has now. An entry that fails again is written anew. Nothing is removed ' +
          'from the error stream. A caller needs `read` and `write` on the error stream.',
        params: kind.subscriptionParams,
        body: RedriveToStart,
        response: { 202: json('The redrive runs.', RedriveSchema, EXAMPLE) }
      }
    },
    async (request, reply) => {
      const push = pushOf(request)
      const { key, definition: { errorStream } } = await existing(request, keyOf(kind, request.params))
      for (const verb of ['read', 'write'] as const) await refuseUnlessMay(request, verb, errorStream)
      const { from: start = 'first', to: end, limit = null, class: failure = null, status = null } = request.body
      const { streams, consumers } = brokerOf(request)
      const from = await consumers.resetTarget(errorStream, targetOf(start, '/from'))
      const { nextOffset } = await streams.describe(errorStream)
      const to = Math.min(end ?? Infinity, nextOffset - 1)
      if (from > to) {
        const message = `the error stream "${errorStream}" has no entry between the two offsets`
        throw new StreamsError('offset_beyond_end', message, { details: { nextOffset } })
      }
      const started = await push.startRedrive(key, { from, to, limit, class: failure, status })
      return reply.code(202).send(shownRedrive(started))
    }
  )
}

export function listRedrives (app: ApiApp, kind: SourceKind): void {
  app.get(
    `${kind.path}/:subscription/redrives`,
    {
      config: { problems: kind.problems },
      schema: {
        operationId: `list${kind.subject}Redrives`,
        tags,
        summary: `List the redrives of a subscription${kind.of}`,
        description: 'Those that run, and the last ones that have ended.',
        params: kind.subscriptionParams,
        response: { 200: json('The redrives.', RedriveList, { redrives: [EXAMPLE] }) }
      }
    },
    async (request) => {
      const push = pushOf(request)
      const key = keyOf(kind, request.params)
      await refuseUnlessReads(request, key)
      return { redrives: (await push.redrives(key)).map(shownRedrive) }
    }
  )
}

export function getRedrive (app: ApiApp, kind: SourceKind): void {
  app.get(
    `${kind.path}/:subscription/redrives/:redrive`,
    {
      config: { problems: [...kind.problems, 'redrive_not_found'] },
      schema: {
        operationId: `get${kind.subject}Redrive`,
        tags,
        summary: `Get a redrive of a subscription${kind.of}`,
        description: 'How far it is.',
        params: kind.redriveParams,
        response: { 200: json('The redrive.', RedriveSchema, EXAMPLE) }
      }
    },
    async (request) => {
      const push = pushOf(request)
      const key = keyOf(kind, request.params)
      await refuseUnlessReads(request, key)
      const { redrive: id } = request.params
      const found = (await push.redrives(key)).find(({ redrive }) => redrive.id === id)
      if (found === undefined) throw new PushError('redrive_not_found', `the subscription has no redrive ${id}`)
      return shownRedrive(found)
    }
  )
}

export function cancelRedrive (app: ApiApp, kind: SourceKind): void {
  app.delete(
    `${kind.path}/:subscription/redrives/:redrive`,
    {
      config: { problems: [...kind.problems, 'redrive_not_found'] },
      schema: {
        operationId: `cancel${kind.subject}Redrive`,
        tags: ['Deletion'],
        summary: `Cancel a redrive of a subscription${kind.of}`,
        description: 'What is delivered stays delivered. Cancelling one that has ended changes nothing.',
        params: kind.redriveParams,
        response: { 204: { description: 'The redrive has ended.', type: 'null' } }
      }
    },
    async (request, reply) => {
      const { key } = await existing(request, keyOf(kind, request.params))
      await pushOf(request).endRedrive(key, request.params.redrive)
      return reply.code(204).send()
    }
  )
}
