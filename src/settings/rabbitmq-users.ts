import type { SettingReader } from './setting-reader.ts'

/** Callers with a user of RabbitMQ, for `AUTH=rabbitmq`. */
export function readRabbitmqUsers (read: SettingReader) {
  return {
    cacheSeconds: read.integer(
      'AUTH_CACHE_SECONDS',
      { default: 60, min: 1, max: 3600 },
      'How long RabbitMQ is not asked again whether it accepts a user: a password that was changed is refused after ' +
      'this time at the latest'
    ),
    recheckSeconds: read.integer(
      'AUTH_RECHECK_SECONDS',
      { default: 60, min: 1, max: 3600 },
      'How often RabbitMQ is asked whether a user may still read and write the streams that it uses at the moment'
    ),
    maxPending: read.integer(
      'AUTH_MAX_PENDING',
      { default: 32, min: 1, max: 1000 },
      'Most logins at RabbitMQ at once; more wait a second and are then refused with 503 `overloaded`. RabbitMQ ' +
      'takes three seconds to refuse a wrong password'
    ),
    maxCallers: read.integer(
      'MAX_CALLERS',
      { default: 200, min: 1, max: 10_000 },
      'Most users of RabbitMQ with connections at once. When there are more, those of idle users are closed; when ' +
      'all are in use, new ones are refused with 503 `overloaded`'
    )
  }
}
