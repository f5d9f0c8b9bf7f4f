import type { ApiApp } from '../../http/api-app.ts'
import { bareTarget, targetOf } from '../../api/reset-target.ts'
import { BODY_PROBLEMS } from '../../api/schemas.ts'
import { existing } from './change.ts'
import { ERROR_STREAM_PROBLEMS, MAX_BODY_BYTES, subscriptionJson, tags } from './common.ts'
import { createErrorStream } from './error-stream.ts'
import { keyOf, type SourceKind } from './kinds.ts'
import { refuseOtherPartitions } from './partitions.ts'
import { pushOf } from './port.ts'
import { answerWith } from './shown.ts'

export function pauseSubscription (app: ApiApp, kind: SourceKind): void {
  app.post(
    `${kind.path}/:subscription/pause`,
    {
      config: { problems: [...kind.problems, ...BODY_PROBLEMS] },
      schema: {
        operationId: `pause${kind.subject}Subscription`,
        tags,
        summary: `Pause a subscription${kind.of}`,
        description:
          'The answer comes when the request in flight has ended and the offset is stored, or after some seconds. ' +
          'Pausing one that is paused changes nothing.',
        params: kind.subscriptionParams,
        response: { 200: subscriptionJson('The subscription is paused.', { paused: true }) }
      }
    },
    async (request, reply) => {
      const { key } = await existing(request, keyOf(kind, request.params))
      return await answerWith(reply, pushOf(request), await pushOf(request).pause(key))
    }
  )
}

export function resumeSubscription (app: ApiApp, kind: SourceKind): void {
  app.post(
    `${kind.path}/:subscription/resume`,
    {
      config: { problems: [...kind.problems, ...BODY_PROBLEMS] },
      schema: {
        operationId: `resume${kind.subject}Subscription`,
        tags,
        summary: `Resume a subscription${kind.of}`,
        description:
          'Whatever it was paused for. It continues with the message on which it stood, whose tries are counted ' +
          'anew. Resuming one that is not paused changes nothing.',
        params: kind.subscriptionParams,
        response: { 200: subscriptionJson('The subscription is not paused.') }
      }
    },
    async (request, reply) => {
      const { key } = await existing(request, keyOf(kind, request.params))
      return await answerWith(reply, pushOf(request), await pushOf(request).resume(key))
    }
  )
}

export function resetSubscription (app: ApiApp, kind: SourceKind): void {
  app.post(
    `${kind.path}/:subscription/reset`,
    {
      bodyLimit: MAX_BODY_BYTES,
      preValidation: (request, _reply, done) => { done(bareTarget(request.body)) },
      config: { problems: [...kind.problems, kind.missing, ...BODY_PROBLEMS, 'offset_beyond_end'] },
      schema: {
        operationId: `reset${kind.subject}Subscription`,
        tags,
        summary: `Reset a subscription${kind.of}`,
        description:
          'Sets the next message to be delivered, back (a replay) or forward, also of a subscription that is paused. ' +
          'Requests that were sent before the reset have a lower `delivery-generation`.',
        params: kind.subscriptionParams,
        body: kind.reset,
        response: { 200: subscriptionJson('The subscription continues there.') }
      }
    },
    async (request, reply) => {
      const push = pushOf(request)
      const { to, partitions } = request.body
      const { key } = await existing(request, keyOf(kind, request.params))
      if (partitions !== undefined) await refuseOtherPartitions(request, key, partitions, '/partitions')
      return await answerWith(reply, push, await push.reset(key, targetOf(to, '/to'), partitions))
    }
  )
}

export function skipMessage (app: ApiApp, kind: SourceKind): void {
  app.post(
    `${kind.path}/:subscription/skip`,
    {
      bodyLimit: MAX_BODY_BYTES,
      config: {
        problems: [
          ...kind.problems, ...BODY_PROBLEMS, ...ERROR_STREAM_PROBLEMS, kind.missing, 'subscription_stands_elsewhere'
        ]
      },
      schema: {
        operationId: `skip${kind.subject}Message`,
        tags,
        summary: `Skip the message that a subscription${kind.of} stands on`,
        description:
          'The message goes to the error stream now, or is dropped where `onFailure` is `drop`, and the next one is ' +
          'delivered. Nothing is done unless the subscription stands on the offset that is given, so that two ' +
          'requests do not skip two messages.',
        params: kind.subscriptionParams,
        body: kind.skip,
        response: { 200: subscriptionJson('The message is skipped.') }
      }
    },
    async (request, reply) => {
      const push = pushOf(request)
      const { offset, partition } = request.body
      const { key, definition: { onFailure, errorStream } } = await existing(request, keyOf(kind, request.params))
      if (partition !== undefined) await refuseOtherPartitions(request, key, [partition], '/partition')
      if (onFailure !== 'drop') await createErrorStream(request, key, errorStream)
      return await answerWith(reply, push, await push.skip(key, offset, partition))
    }
  )
}
