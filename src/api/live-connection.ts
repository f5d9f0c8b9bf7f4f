import { Type } from '@sinclair/typebox'

// RabbitMQ's management API learns of a connection a few seconds after it has begun.
const LATER = 'null until RabbitMQ has gathered it, which takes a few seconds'

/** The members that describe the client of a live subscription or publisher. */
export const liveConnection = {
  host: Type.Union([Type.String(), Type.Null()], { description: `The address of the client; ${LATER}.` }),
  connectionName: Type.Union([Type.String(), Type.Null()], {
    description: `The name that the client gave its connection; null when it gave none, and ${LATER}.`
  }),
  connectedAt: Type.Union([Type.String(), Type.Null()], {
    description: `Since when the client is connected: ISO 8601, UTC; ${LATER}.`
  })
}
