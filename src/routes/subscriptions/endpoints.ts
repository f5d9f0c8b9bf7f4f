import type { ApiApp } from '../../http/api-app.ts'
import { invalidRequest } from '../../api/problems.ts'
import { BODY_PROBLEMS, json } from '../../api/schemas.ts'
import { RotatedSecret, SubscriptionTest } from '../../api/subscription-answers.ts'
import { ChangeConditions, SecretRotation } from '../../api/subscription-requests.ts'
import { keyOf as signingKeyOf, newSecret } from '../../push/delivery/signature.ts'
import { change, existing, notFound } from './change.ts'
import { ETAG, MAX_BODY_BYTES, tags } from './common.ts'
import { conditionsOf, etagOf } from './conditions.ts'
import { keyOf, type SourceKind } from './kinds.ts'
import { pushOf } from './port.ts'
import { rotated } from './secrets.ts'

const DEFAULT_OVERLAP_SECONDS = 86_400

export function testSubscription (app: ApiApp, kind: SourceKind): void {
  app.post(
    `${kind.path}/:subscription/test`,
    {
      config: { problems: [...kind.problems, ...BODY_PROBLEMS] },
      schema: {
        operationId: `test${kind.subject}Subscription`,
        tags,
        summary: `Test the endpoint of a subscription${kind.of}`,
        description:
          'Sends one signed request with an empty message, which belongs to no offset, and answers with what came of ' +
          'it. Nothing of the subscription changes, also when it is paused.',
        params: kind.subscriptionParams,
        response: {
          200: json('What came of the request.', SubscriptionTest, {
            isDelivered: false,
            class: 'endpoint',
            status: null,
            error: 'getaddrinfo ENOTFOUND api.example.com (ENOTFOUND)',
            tookMs: 12.5
          })
        }
      }
    },
    async (request) => {
      const { key } = await existing(request, keyOf(kind, request.params))
      const { failure, status, error, tookMs } = await pushOf(request).test(key)
      return {
        isDelivered: failure === undefined,
        class: failure ?? null,
        status: status ?? null,
        error: error ?? null,
        tookMs: Math.round(tookMs * 10) / 10
      }
    }
  )
}

export function rotateSecret (app: ApiApp, kind: SourceKind): void {
  app.post(
    `${kind.path}/:subscription/secrets`,
    {
      bodyLimit: MAX_BODY_BYTES,
      config: {
        problems: [...kind.problems, ...BODY_PROBLEMS, 'subscription_version_differs'],
        describedHeaders: ChangeConditions,
        hasOptionalBody: true
      },
      schema: {
        operationId: `rotate${kind.subject}Secret`,
        tags,
        summary: `Replace the secret of a subscription${kind.of}`,
        description:
          'From the next request on the new secret signs, and so do the old ones until `overlapSeconds` are over: ' +
          'each request has a signature for each of them. With 0 the old ones end at once. Only this answer shows ' +
          'the new secret.',
        params: kind.subscriptionParams,
        body: SecretRotation,
        response: {
          200: json('The secret was replaced.', RotatedSecret, {
            secret: 'whsec_bm90IGEgc2VjcmV0LCBhbiBleGFtcGxlIG9mIG9uZQ==',
            version: 5,
            oldSecretsUntil: '2026-02-01T12:00:00.000Z'
          }, ETAG)
        }
      }
    },
    async (request, reply) => {
      const { secret = newSecret(), overlapSeconds = DEFAULT_OVERLAP_SECONDS } = request.body
      if (signingKeyOf(secret) === undefined) {
        throw invalidRequest([{ pointer: '/secret', message: 'must be whsec_ and 24 to 64 bytes in base64' }])
      }
      const key = keyOf(kind, request.params)
      const now = Date.now()
      const until = now + overlapSeconds * 1000
      const { subscription } = await change(request, key, conditionsOf(request.headers), async (current) => {
        if (current === undefined) throw notFound(key)
        const { definition } = current
        const secrets = rotated(definition.secrets, pushOf(request).seal(key, secret), until, now)
        return { definition: { ...definition, secrets }, made: undefined }
      })
      const { version, definition: { secrets } } = subscription
      void reply.header('etag', etagOf(version))
      return { secret, version, oldSecretsUntil: secrets.length > 1 ? new Date(until).toISOString() : null }
    }
  )
}
