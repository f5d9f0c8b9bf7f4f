/** A row of the table of problems. */
export interface ProblemDefinition {
  status: number
  title: string
  /** When it happens. */
  when: string
  /** What the caller can do. */
  remedy: string
}

/** The rows with the statuses from 500 on. */
export const SERVER_PROBLEMS = {
  internal_error: {
    status: 500,
    title: 'Internal error',
    when: 'The gateway has a fault.',
    remedy: 'Report it with the `requestId`; the log has the cause.'
  },
  unsupported_by_broker: {
    status: 501,
    title: 'Not supported by the broker',
    when: 'The broker is too old for this request.',
    remedy: 'Use RabbitMQ 3.13 or newer, and enable its feature flags.'
  },
  management_not_configured: {
    status: 501,
    title: 'No management API is configured',
    when: 'Only the management API can answer this, and no setting names one.',
    remedy: 'Set `RABBITMQ_MANAGEMENT_URL`.'
  },
  broker_protocol_error: {
    status: 502,
    title: 'Unexpected answer of the broker',
    when: 'The broker sent an answer that the protocol does not allow, or refused the credentials of the gateway.',
    remedy: 'Read the log of the gateway, and check its credentials.'
  },
  broker_unavailable: {
    status: 503,
    title: 'The broker is not available',
    when: 'There is no connection to the broker, or it was lost.',
    remedy:
      'Retry after `Retry-After`. With `sideEffects: possible`, a publish without a publisher name may have been ' +
      'stored.'
  },
  stream_not_available: {
    status: 503,
    title: 'The stream is not available',
    when: 'The stream has no leader, or no member that could answer.',
    remedy: 'Retry after `Retry-After`.'
  },
  management_unavailable: {
    status: 503,
    title: 'The management API is not available',
    when: 'The management API did not answer, or its answer was not the expected one.',
    remedy: "Retry after `Retry-After`; check `RABBITMQ_MANAGEMENT_URL` and the user's tags."
  },
  identity_provider_unavailable: {
    status: 503,
    title: 'The identity provider is not available',
    when: 'The token cannot be checked: the keys of the identity provider were never read, or too long ago.',
    remedy: 'Retry after `Retry-After`; check that the gateway reaches the identity provider.'
  },
  overloaded: {
    status: 503,
    title: 'Overloaded',
    when: 'A budget of the gateway is full. Nothing was done, unless `published` says otherwise.',
    remedy: 'Retry after `Retry-After`.'
  },
  draining: {
    status: 503,
    title: 'Shutting down',
    when: 'This process is shutting down. Nothing was done, unless `sideEffects` says otherwise.',
    remedy: 'Retry after `Retry-After`; another instance answers.'
  },
  confirm_timeout: {
    status: 504,
    title: 'No confirm in time',
    when: 'The broker did not confirm in time, or went away before it could be asked whether another process had ' +
      'used the publisher name. The messages may or may not have been stored.',
    remedy: 'Publish again with the same publisher name and publishing ids, which stores nothing twice.'
  },
  broker_timeout: {
    status: 504,
    title: 'No answer of the broker in time',
    when: 'The broker did not answer in time.',
    remedy: 'Retry; `sideEffects` says whether the request may have worked.'
  }
} as const satisfies Record<string, ProblemDefinition>
