/**
 * The names of OpenTelemetry that spans are made of. Those of messaging are still in development there: they are here
 * and nowhere else.
 */
export const ATTRIBUTES = {
  method: 'http.request.method',
  route: 'http.route',
  status: 'http.response.status_code',
  path: 'url.path',
  scheme: 'url.scheme',
  error: 'error.type',
  system: 'messaging.system',
  destination: 'messaging.destination.name',
  operationName: 'messaging.operation.name',
  operationType: 'messaging.operation.type',
  batchCount: 'messaging.batch.message_count',
  consumer: 'messaging.consumer.group.name',
  // OpenTelemetry has no name for it.
  virtualHost: 'rabbitmq.vhost'
} as const

export const SYSTEM = 'rabbitmq'

/** What an operation of the API does with messages. */
export type Verb = 'send' | 'receive' | 'settle'

/** The types of operations on messages. */
export type OperationType = Verb | 'process'

/** The operations that deal with messages, and whether with one or with several. */
export const VERBS: Readonly<Record<string, { readonly verb: Verb, readonly isBatch: boolean }>> = {
  ...operations('send', true, [
    'publishMessages', 'publishLines', 'publishEvents', 'publishSuperStreamMessages', 'publishSuperStreamLines',
    'publishSuperStreamEvents'
  ]),
  ...operations('send', false, ['publishRaw', 'publishSuperStreamRaw']),
  ...operations('receive', true, [
    'readMessages', 'readLines', 'readEvents', 'readAsConsumer', 'readSuperStream', 'readSuperStreamLines',
    'readSuperStreamEvents', 'readSuperStreamAsConsumer'
  ]),
  ...operations('receive', false, ['readMessage', 'readRaw']),
  ...operations('settle', false, [
    'storeOffset', 'resetOffset', 'storeSuperStreamOffsets', 'resetSuperStreamOffsets'
  ])
}

/** Asked every few seconds by programs that watch the gateway: they would fill a collector with nothing. */
export const UNTRACED: ReadonlySet<string | undefined> = new Set(['getLiveness', 'getReadiness', 'getMetrics'])

function operations (verb: Verb, isBatch: boolean, ids: readonly string[]) {
  return Object.fromEntries(ids.map((id) => [id, { verb, isBatch }]))
}
