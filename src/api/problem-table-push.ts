import type { ProblemDefinition } from './problem-table-server.ts'

/** The rows about push subscriptions with the statuses below 500. */
export const PUSH_PROBLEMS = {
  push_disabled: {
    status: 403,
    title: 'Push is turned off',
    when: 'This gateway delivers nothing: the setting `PUSH_ENABLED` is not `true`. Whether the subscription exists ' +
      'is not known.',
    remedy: 'Set `PUSH_ENABLED=true` for every instance of the gateway.'
  },
  subscription_not_found: {
    status: 404,
    title: 'Subscription not found',
    when: 'The stream has no subscription of this name.',
    remedy: 'Create it with `PUT .../subscriptions/{subscription}`.'
  },
  redrive_not_found: {
    status: 404,
    title: 'Redrive not found',
    when: 'The subscription has no redrive with this id, or it ended and was forgotten.',
    remedy: 'List them with `GET .../redrives`.'
  },
  subscription_stands_elsewhere: {
    status: 409,
    title: 'The subscription does not stand on this message',
    when: 'The message to be skipped is not the one that is delivered next; `nextOffset` is, where it is known.',
    remedy: 'Read the subscription again, and skip `status.nextOffset` if that is what you want.'
  },
  too_many_subscriptions: {
    status: 409,
    title: 'Too many subscriptions',
    when: 'There are as many subscriptions as there may be; `limit` says how many.',
    remedy: 'Delete one that is not used. A filter or a super stream may do what several subscriptions do.'
  },
  too_many_redrives: {
    status: 409,
    title: 'Too many redrives',
    when: 'As many redrives of the subscription run as there may be; `limit` says how many.',
    remedy: 'Wait for one to end, or end it with `DELETE .../redrives/{redrive}`.'
  },
  subscription_version_differs: {
    status: 412,
    title: 'The subscription has another version',
    when: 'The request asks for another version with `If-Match`, or for a subscription that does not exist yet with ' +
      '`If-None-Match: *`. `version` is the version that the subscription has, or null when it does not exist.',
    remedy: 'Read the subscription, decide again, and send its `ETag` as `If-Match`.'
  },
  error_stream_refused: {
    status: 422,
    title: 'The error stream is refused',
    when: 'Messages that fail would come back to the subscription: the error stream is its own stream, or ' +
      'subscriptions lead from it back to the stream.',
    remedy: 'Name another stream in `errorStream`.'
  }
} as const satisfies Record<string, ProblemDefinition>
