import { invalidRequest } from '../../api/problems.ts'
import { json } from '../../api/schemas.ts'
import { SubscriptionList } from '../../api/subscription-answers.ts'
import { SubscriptionsQuery } from '../../api/subscription-requests.ts'
import type { ApiApp } from '../../http/api-app.ts'
import type { Subscription } from '../../push/definitions/definitions.ts'
import type { PushPort } from '../../push/push-port.ts'
import { EXAMPLE_SUBSCRIPTION, tags } from './common.ts'
import { nameOf, type SourceKind } from './kinds.ts'
import { pushOf } from './port.ts'
import { mayRead, refuseUnlessReads } from './rights.ts'
import { shown } from './shown.ts'

// Each asks the broker for an offset.
const AT_A_TIME = 16

interface PageQuery { readonly limit: number, readonly cursor?: string | undefined }

const response = {
  200: json('A page of subscriptions.', SubscriptionList, {
    subscriptions: [EXAMPLE_SUBSCRIPTION], nextCursor: null
  })
}

export function listAllSubscriptions (app: ApiApp): void {
  app.get(
    '/subscriptions',
    {
      config: {
        problems: ['bad_request', 'validation_failed', 'internal_error', 'push_disabled', 'broker_unavailable',
          'broker_timeout', 'broker_protocol_error', 'stream_not_available']
      },
      schema: {
        operationId: 'listAllSubscriptions',
        tags,
        summary: 'List all subscriptions',
        description: 'Those of the streams and super streams that the caller may read, by name.',
        querystring: SubscriptionsQuery,
        response
      }
    },
    async (request) => {
      const push = pushOf(request)
      const all = await push.list()
      return await pageOf(push, all, request.query, async ({ key }) => await mayRead(request, key))
    }
  )
}

export function listSubscriptions (app: ApiApp, kind: SourceKind): void {
  app.get(
    kind.path,
    {
      config: { problems: kind.problems.filter((code) => code !== 'subscription_not_found') },
      schema: {
        operationId: `list${kind.subject}Subscriptions`,
        tags,
        summary: `List the subscriptions${kind.of}`,
        description: 'By name. A stream that does not exist may still have subscriptions.',
        params: kind.params,
        querystring: SubscriptionsQuery,
        response
      }
    },
    async (request) => {
      const push = pushOf(request)
      const stream = nameOf(request.params)
      await refuseUnlessReads(request, { source: kind.source, stream, subscription: '' })
      const all = await push.list()
      const own = all.filter(({ key }) => key.source === kind.source && key.stream === stream)
      return await pageOf(push, own, request.query, async () => true)
    }
  )
}

async function pageOf (
  push: PushPort, all: readonly Subscription[], { limit, cursor }: PageQuery,
  isShown: (subscription: Subscription) => Promise<boolean>
) {
  const after = cursor === undefined ? undefined : placeOf(cursor)
  const wanted = all
    .map((subscription) => ({ subscription, place: orderOf(subscription) }))
    .filter(({ place }) => after === undefined || place > after)
    .sort((a, b) => a.place < b.place ? -1 : 1)
  const page: Array<typeof wanted[number]> = []
  for (const one of wanted) {
    if (!await isShown(one.subscription)) continue
    page.push(one)
    if (page.length > limit) break
  }
  const shownOnes = page.slice(0, limit)
  const subscriptions = []
  for (let at = 0; at < shownOnes.length; at += AT_A_TIME) {
    subscriptions.push(...await Promise.all(
      shownOnes.slice(at, at + AT_A_TIME).map(async ({ subscription }) => await shown(push, subscription))))
  }
  const last = page.length > limit ? shownOnes.at(-1) : undefined
  return { subscriptions, nextCursor: last === undefined ? null : cursorOf(last.place) }
}

// No name has a control character.
function orderOf ({ key: { source, stream, subscription } }: Subscription): string {
  return [stream, source, subscription].join('\0')
}

function cursorOf (place: string): string {
  return Buffer.from(place).toString('base64url')
}

/** @throws RequestError */
function placeOf (cursor: string): string {
  const place = Buffer.from(cursor, 'base64url').toString()
  if (place.split('\0').length === 3 && cursorOf(place) === cursor) return place
  throw invalidRequest([{ pointer: '/query/cursor', message: 'is not the nextCursor of an answer' }])
}
