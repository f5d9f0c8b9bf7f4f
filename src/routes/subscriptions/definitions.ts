import type { FastifyRequest } from 'fastify'
import type { ApiApp } from '../../http/api-app.ts'
import { parseJsonBody } from '../../http/json-body.ts'
import { BODY_PROBLEMS } from '../../api/schemas.ts'
import { ChangeConditions, PutConditions } from '../../api/subscription-requests.ts'
import { SubscriptionToPatch, SubscriptionToPut, type GivenDefinition } from '../../api/subscription-schemas.ts'
import type { Subscription } from '../../push/definitions/definitions.ts'
import { changeTo, existing, isOvertaken, notFound } from './change.ts'
import { ERROR_STREAM_PROBLEMS, MAX_BODY_BYTES, subscriptionJson, tags } from './common.ts'
import { conditionsOf, refuseUnless } from './conditions.ts'
import { keyOf, type SourceKind } from './kinds.ts'
import { mergePatch } from './merge-patch.ts'
import { pushOf } from './port.ts'
import { refuseUnlessReads } from './rights.ts'
import { answerWith, shownDefinition } from './shown.ts'

const MAX_TRIES = 10
const MERGE_PATCH = 'application/merge-patch+json'
const SECRET_SHOWN = { secrets: ['whsec_bm90IGEgc2VjcmV0LCBhbiBleGFtcGxlIG9mIG9uZQ=='] }
const CHANGE_PROBLEMS = [
  ...BODY_PROBLEMS, 'subscription_version_differs', 'error_stream_refused', ...ERROR_STREAM_PROBLEMS
] as const

export function putSubscription (app: ApiApp, kind: SourceKind): void {
  app.put(
    `${kind.path}/:subscription`,
    {
      bodyLimit: MAX_BODY_BYTES,
      config: {
        problems: [
          ...kind.problems.filter((code) => code !== 'subscription_not_found'), kind.missing, ...CHANGE_PROBLEMS,
          'too_many_subscriptions'
        ],
        describedHeaders: PutConditions
      },
      schema: {
        operationId: `put${kind.subject}Subscription`,
        tags,
        summary: `Create or replace a subscription${kind.of}`,
        description:
          'The gateway then sends the messages of the stream to the endpoint, with its own account. The caller needs ' +
          '`write` on the error stream, and `configure` when the gateway has to create it. Members that are left out ' +
          'get their defaults; `secrets` and `paused` keep their values. An answer to a GET can be sent back as it is.',
        params: kind.subscriptionParams,
        body: SubscriptionToPut,
        response: {
          200: subscriptionJson('The subscription was replaced.'),
          201: subscriptionJson('The subscription was created. When a secret was made, only this answer shows it.',
            SECRET_SHOWN)
        }
      }
    },
    async (request, reply) => {
      const conditions = conditionsOf(request.headers)
      const changed = await changeTo(request, keyOf(kind, request.params), conditions, () => request.body)
      const { subscription, isNew, made } = changed
      const answer = await answerWith(reply, pushOf(request), subscription)
      return reply.code(isNew ? 201 : 200).send(made === undefined ? answer : { ...answer, secrets: [made] })
    }
  )
}

export function getSubscription (app: ApiApp, kind: SourceKind): void {
  app.get(
    `${kind.path}/:subscription`,
    {
      config: { problems: kind.problems },
      schema: {
        operationId: `get${kind.subject}Subscription`,
        tags,
        summary: `Get a subscription${kind.of}`,
        description:
          'What it is and what it does at the moment, from any instance. `"***"` stands for what is never shown. The ' +
          '`ETag` has its version, which does not change when only its status does.',
        params: kind.subscriptionParams,
        response: { 200: subscriptionJson('The subscription.') }
      }
    },
    async (request, reply) => {
      const push = pushOf(request)
      const key = keyOf(kind, request.params)
      await refuseUnlessReads(request, key)
      return await answerWith(reply, push, await push.get(key))
    }
  )
}

/** In a scope of its own, for its media type. */
export function patchSubscription (app: ApiApp, kind: SourceKind): void {
  app.patch(
    `${kind.path}/:subscription`,
    {
      bodyLimit: MAX_BODY_BYTES,
      config: { problems: [...kind.problems, ...CHANGE_PROBLEMS], describedHeaders: ChangeConditions },
      schema: {
        operationId: `patch${kind.subject}Subscription`,
        tags,
        summary: `Change a subscription${kind.of}`,
        description:
          `A merge patch (RFC 7396), as \`${MERGE_PATCH}\` or as \`application/json\`: members that are given are ` +
          'changed, others stay, and null means the default. The result has to be a subscription that could be put.',
        params: kind.subscriptionParams,
        body: SubscriptionToPatch,
        response: { 200: subscriptionJson('The subscription was changed.') }
      }
    },
    async (request, reply) => {
      const conditions = conditionsOf(request.headers)
      const key = keyOf(kind, request.params)
      const { subscription } = await changeTo(request, key, conditions, (current) => {
        if (current === undefined) throw notFound(key)
        return patched(request, current)
      })
      return await answerWith(reply, pushOf(request), subscription)
    }
  )
}

/** Bodies of patches are JSON by another name. */
export function readPatches (app: ApiApp): void {
  app.addContentTypeParser(MERGE_PATCH, async (request: FastifyRequest) => {
    return parseJsonBody(await app.readWholeBody(request))
  })
}

export function deleteSubscription (app: ApiApp, kind: SourceKind): void {
  app.delete(
    `${kind.path}/:subscription`,
    {
      config: {
        problems: [...kind.problems, 'subscription_version_differs'], describedHeaders: ChangeConditions
      },
      schema: {
        operationId: `delete${kind.subject}Subscription`,
        tags: ['Deletion'],
        summary: `Delete a subscription${kind.of}`,
        description:
          'Deliveries end. The error stream and the stored offset of the consumer stay, because ' +
          'RabbitMQ cannot delete an offset: a new subscription with the same consumer continues there.',
        params: kind.subscriptionParams,
        response: { 204: { description: 'The subscription was deleted.', type: 'null' } }
      }
    },
    async (request, reply) => {
      const push = pushOf(request)
      const key = keyOf(kind, request.params)
      const conditions = conditionsOf(request.headers)
      for (let tries = 1; ; tries++) {
        const { version } = await existing(request, key)
        refuseUnless(conditions, version)
        try {
          await push.delete(key, version)
          return await reply.code(204).send()
        } catch (error) {
          if (!isOvertaken(error) || tries >= MAX_TRIES) throw error
        }
      }
    }
  )
}

/** @throws an error of the schema, as for the body of a PUT */
function patched (request: FastifyRequest, current: Subscription): GivenDefinition {
  const validate = request.compileValidationSchema(SubscriptionToPut)
  const isDefinition = (value: unknown): value is GivenDefinition => validate(value)
  const result = mergePatch(shownDefinition(current), withHeadersInLowerCase(request.body))
  if (isDefinition(result)) return result
  const faults = { validation: validate.errors, validationContext: 'body' }
  throw Object.assign(new Error('the patched subscription is not valid'), faults)
}

// As the names of headers are kept, so that a patch changes a header however its name is written.
function withHeadersInLowerCase (patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || !('headers' in patch)) return patch
  const { headers } = patch
  if (typeof headers !== 'object' || headers === null) return patch
  const lower = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])
  return { ...patch, headers: Object.fromEntries(lower) }
}
