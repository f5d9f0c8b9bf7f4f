/**
 * What a caller may do with a stream. `configure`, `write` and `read` are RabbitMQ's permissions. RabbitMQ lets whoever
 * may read also reset a consumer; here that is `reset`. `monitor` is for the figures of the gateway.
 */
export const VERBS = ['configure', 'write', 'read', 'reset', 'monitor'] as const

export type Verb = typeof VERBS[number]

/** Whether a text is a verb. */
export function isVerb (text: string): text is Verb {
  return VERBS.some((verb) => verb === text)
}
