import {
  anyOf, isBoolean, isCount, isNumber, isString, listOf, oneOf, recordOf, shape, type Check
} from '../log/shape.ts'
import type { Change, Command, Redrive, RedriveRequest, Subscription, SubscriptionKey } from './command.ts'
import type { Definition } from './definition.ts'

const isCause = oneOf('operator', 'gone', 'outage', 'too_many_failures', 'message_failed')
const isNull = oneOf(null)
const countOrNull = anyOf(isCount, isNull)
const isOffsets = recordOf(isCount)
const isEnd = oneOf('done', 'cancelled')

const isKey = shape<SubscriptionKey>({
  source: oneOf('stream', 'superStream'), stream: isString, subscription: isString
})

const isDefinition = shape<Definition>({
  url: isString,
  start: anyOf(oneOf('first', 'last', 'next'), shape({ offset: isCount }), shape({ timestamp: isString })),
  ordering: oneOf('stream', 'key', 'none'),
  orderingKey: anyOf(isString, isNull),
  concurrency: isCount,
  batch: shape<Definition['batch']>({ maxMessages: isCount, maxBytes: isCount, maxWaitMs: isCount }),
  format: oneOf('message', 'raw'),
  filter: shape<Definition['filter']>({ filterValues: listOf(isString), matchUnfiltered: isBoolean }),
  timeoutMs: isCount,
  retry: shape<Definition['retry']>({
    initialDelayMs: isNumber,
    maxDelayMs: isNumber,
    factor: isNumber,
    maxAttempts: isCount,
    messageAttempts: isCount,
    maxOutageSeconds: isNumber
  }),
  onFailure: oneOf('errorStream', 'pause', 'drop'),
  errorStream: isString,
  maxConsecutiveFailures: isCount,
  commit: shape<Definition['commit']>({ everyMs: isCount, everyMessages: isCount }),
  headers: recordOf(isString),
  secrets: listOf(shape<Definition['secrets'][number]>({ sealed: isString, until: anyOf(isNumber, isNull) })),
  consumer: isString,
  paused: anyOf(isCause, isNull)
})

const isRequest = shape<RedriveRequest>({
  from: isCount,
  to: isCount,
  limit: countOrNull,
  class: anyOf(oneOf('message', 'ambiguous', 'endpoint', 'gone'), isNull),
  status: countOrNull
})

type ChangeOf<Type extends Change['type']> = Extract<Change, { readonly type: Type }>

const isChange: Check<Change> = anyOf(
  shape<ChangeOf<'put'>>({
    type: oneOf('put'), definition: isDefinition, starts: anyOf(isOffsets, oneOf(undefined))
  }),
  shape<ChangeOf<'delete'>>({ type: oneOf('delete') }),
  shape<ChangeOf<'pause'>>({ type: oneOf('pause'), cause: isCause }),
  shape<ChangeOf<'resume'>>({ type: oneOf('resume') }),
  shape<ChangeOf<'reset'>>({ type: oneOf('reset'), offsets: isOffsets }),
  shape<ChangeOf<'resetDone'>>({ type: oneOf('resetDone'), partition: isString, generation: isCount }),
  shape<ChangeOf<'skip'>>({ type: oneOf('skip'), partition: isString, offset: isCount }),
  shape<ChangeOf<'redrive'>>({ type: oneOf('redrive'), id: isString, request: isRequest, at: isNumber }),
  shape<ChangeOf<'redriveEnd'>>({ type: oneOf('redriveEnd'), id: isString, state: isEnd })
)

/** Whether a record of the log is a command. */
export const isCommand: Check<Command> = shape<Command>({
  commandId: isString, key: isKey, change: isChange, ifVersion: anyOf(isCount, oneOf(null, undefined))
})

/** Whether a line of a snapshot is a subscription. */
export const isSubscription: Check<Subscription> = shape<Subscription>({
  key: isKey,
  definition: isDefinition,
  version: isCount,
  generation: isCount,
  starts: isOffsets,
  resets: isOffsets,
  skips: isOffsets,
  redrives: listOf(shape<Redrive>({
    id: isString, request: isRequest, state: anyOf(isEnd, oneOf('running')), at: isNumber
  }))
})
