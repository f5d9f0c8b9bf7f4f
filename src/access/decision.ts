import type { Rights } from './caller.ts'
import type { Requirement } from './operations.ts'
import type { Verb } from './verb.ts'

/** What a request is about. */
export interface Target {
  /** The API's name of the stream, which the caller knows, and the broker's, which rights are about. */
  readonly stream: string
  readonly streamOnBroker: string
  readonly consumer?: string | undefined
  readonly publisher?: string | undefined
}

type OnStream = Extract<Requirement, { type: 'stream' }>

/**
 * Decides before the broker is asked, so that a forbidden name is refused whether it exists or not.
 *
 * @returns what the caller lacks, in words that it may see; undefined when it may do this
 */
export function lackingFor (requirement: OnStream, rights: Rights, target: Target): string | undefined {
  const { stream, streamOnBroker, consumer, publisher } = target
  const has = (verb: Verb): boolean => rights.allows(verb, streamOnBroker)
  if ('any' in requirement) {
    return requirement.any.some(has) ? undefined : lacking(requirement.any.join('" or "'), stream)
  }
  const verb = requirement.all.find((verb) => !has(verb))
  if (verb !== undefined) return lacking(verb, stream)
  if (requirement.names === 'consumer' && consumer !== undefined && !rights.allowsConsumer(consumer)) {
    return `the caller may not use the consumer ${JSON.stringify(consumer)}`
  }
  if (requirement.names === 'publisher' && publisher !== undefined && !rights.allowsPublisher(publisher)) {
    return `the caller may not use the publisher ${JSON.stringify(publisher)}`
  }
  return undefined
}

function lacking (verb: string, stream: string): string {
  return `the caller has no "${verb}" on the stream ${JSON.stringify(stream)}`
}
