import type { FastifyRequest } from 'fastify'
import { brokerOf } from '../../http/caller.ts'
import { partitionCheck } from '../../http/partition-check.ts'
import type { GivenDefinition } from '../../api/subscription-schemas.ts'
import type { Definition } from '../../push/definitions/definition.ts'
import type { Subscription, SubscriptionKey } from '../../push/definitions/definitions.ts'
import { PushError } from '../../push/push-error.ts'
import { refuseUnless, type Conditions } from './conditions.ts'
import { complete } from './definition.ts'
import { prepareErrorStream } from './error-stream.ts'
import { refuseTakenConsumer } from './neighbours.ts'
import { pushOf } from './port.ts'
import { refuseForeignConsumer, refuseUnlessReads } from './rights.ts'

const MAX_TRIES = 10

/** What a change of a subscription makes of it. */
export interface Changed {
  readonly subscription: Subscription
  readonly isNew: boolean
  /** The secret that was made for it. */
  readonly made: string | undefined
}

type NewDefinition = { readonly definition: Definition, readonly made: string | undefined }

/**
 * Creates a subscription or replaces what it is.
 *
 * @param wanted what it is to be, made of what it is
 * @throws RequestError, PushError, AccessError, StreamsError
 */
export async function changeTo (
  request: FastifyRequest, key: SubscriptionKey, conditions: Conditions,
  wanted: (current: Subscription | undefined) => GivenDefinition
): Promise<Changed> {
  const { server: { broker } } = request
  const push = pushOf(request)
  return await change(request, key, conditions, async (current, all) => {
    const completed = complete(wanted(current), {
      key,
      current,
      broker,
      seal: (text) => push.seal(key, text),
      refusalOf: (url) => push.refusalOf(url)
    })
    const { definition } = completed
    refuseForeignConsumer(request, definition.consumer)
    if (current === undefined) await refuseMissing(request, key)
    await refuseTakenConsumer(request, key, definition.consumer, all)
    await prepareErrorStream(request, key, definition, all)
    return completed
  })
}

/**
 * Makes a new definition of the one that there is. When another change comes between, it is made again of what that
 * one has left, unless the conditions forbid it.
 *
 * @throws PushError, AccessError, StreamsError, what `make` throws
 */
export async function change (
  request: FastifyRequest, key: SubscriptionKey, conditions: Conditions,
  make: (current: Subscription | undefined, all: readonly Subscription[]) => Promise<NewDefinition>
): Promise<Changed> {
  const push = pushOf(request)
  await refuseUnlessReads(request, key)
  for (let tries = 1; ; tries++) {
    const all = await push.list()
    const current = all.find(({ key: own }) =>
      own.source === key.source && own.stream === key.stream && own.subscription === key.subscription)
    if (current !== undefined) refuseForeignConsumer(request, current.definition.consumer)
    refuseUnless(conditions, current?.version)
    const { definition, made } = await make(current, all)
    try {
      const subscription = await push.put(key, definition, current?.version ?? null)
      return { subscription, isNew: current === undefined, made }
    } catch (error) {
      if (!isOvertaken(error) || tries >= MAX_TRIES) throw error
    }
  }
}

/** A subscription that the caller may change. @throws PushError, AccessError, StreamsError */
export async function existing (request: FastifyRequest, key: SubscriptionKey): Promise<Subscription> {
  const push = pushOf(request)
  await refuseUnlessReads(request, key)
  const subscription = await push.get(key)
  refuseForeignConsumer(request, subscription.definition.consumer)
  return subscription
}

/** The error of a subscription that is not there. */
export function notFound ({ subscription, stream }: SubscriptionKey): PushError {
  return new PushError('subscription_not_found', `"${stream}" has no subscription "${subscription}"`)
}

export function isOvertaken (error: unknown): boolean {
  return error instanceof PushError && error.code === 'subscription_version_differs'
}

/** @throws StreamsError `stream_not_found`, `super_stream_not_found`, ... */
async function refuseMissing (request: FastifyRequest, { source, stream }: SubscriptionKey): Promise<void> {
  const broker = brokerOf(request)
  if (source === 'stream') await broker.streams.describe(stream)
  else await broker.superStreams.partitions(stream, 'read', partitionCheck(request))
}
