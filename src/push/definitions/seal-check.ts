import type { Logger } from '../../streams/index.ts'
import type { Subscription, SubscriptionKey } from './command.ts'
import type { Definition } from './definition.ts'
import { sealContext, type Sealing } from './sealing.ts'

/**
 * The definition with everything sealed by the newest key, so that old keys can be removed some day. What no key opens
 * stays as it is.
 */
export function resealed (definition: Definition, key: SubscriptionKey, sealing: Sealing): Definition {
  const context = sealContext(key)
  const again = (sealed: string): string => {
    const text = sealing.isNewest(sealed) ? undefined : sealing.open(sealed, context)
    return text === undefined ? sealed : sealing.seal(text, context)
  }
  return {
    ...definition,
    headers: Object.fromEntries(Object.entries(definition.headers).map(([name, sealed]) => [name, again(sealed)])),
    secrets: definition.secrets.map((secret) => ({ ...secret, sealed: again(secret.sealed) }))
  }
}

/** Whether the keys open everything that is sealed in the definition. Without that nothing can be delivered. */
export function isOpenable ({ definition, key }: Subscription, sealing: Sealing): boolean {
  const context = sealContext(key)
  const sealed = [...Object.values(definition.headers), ...definition.secrets.map((secret) => secret.sealed)]
  return sealed.every((text) => sealing.open(text, context) !== undefined)
}

/** Tells the operator of subscriptions whose secrets the keys of this instance do not open. */
export class SealCheck {
  readonly #sealing: Sealing
  readonly #logger: Logger

  constructor (sealing: Sealing, logger: Logger) {
    this.#sealing = sealing
    this.#logger = logger
  }

  /** @param subscriptions that have changed, or were read for the first time */
  look (subscriptions: readonly Subscription[]): void {
    const closed = subscriptions.filter((subscription) => !isOpenable(subscription, this.#sealing))
    const [first] = closed
    if (first === undefined) return
    this.#logger.error(
      { subscriptions: closed.length, first: first.key },
      'PUSH_ENCRYPTION_KEY does not open the secrets of subscriptions: they are not delivered'
    )
  }
}
