import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Broker, Position } from '../streams/index.ts'
import type { Definition } from './definitions/definition.ts'
import type {
  Change, Outcome, Redrive, RedriveRequest, Subscription, SubscriptionKey
} from './definitions/definitions.ts'
import { sealContext, type Sealing } from './definitions/sealing.ts'
import type { Attempt } from './endpoint/attempt.ts'
import type { Guard } from './endpoint/guard.ts'
import { PushError } from './push-error.ts'
import type { IfVersion, PushPort, RedriveProgress, SubscriptionStatus } from './push-port.ts'
import { bounded } from './redrive/bounded.ts'
import { statusOf, statusWithoutSource, type KnownStatus } from './standing.ts'
import { startsOf } from './starts.ts'
import { slotOf, sourceOf, unitId, type Unit } from './unit.ts'
import { unitsIfThere, unitsOf } from './units-of.ts'

/** The definitions, as this instance has them. */
export interface KnownDefinitions {
  readonly get: (key: SubscriptionKey) => Subscription | undefined
  readonly values: () => Iterable<Subscription>
  /** Settles when everything is known that was written before the call. @throws StreamsError */
  readonly caughtUp: (signal: AbortSignal) => Promise<void>
  /** Writes a command, and settles when it is known what it did. @throws StreamsError */
  readonly submit: (
    key: SubscriptionKey, change: Change, ifVersion: IfVersion
  ) => Promise<{ readonly outcome: Outcome, readonly subscription: Subscription | undefined }>
}

export interface PushOptions {
  /** With the account of the gateway; names are the API's. */
  readonly broker: Broker
  readonly definitions: KnownDefinitions
  readonly known: KnownStatus
  readonly guard: Guard
  readonly sealing: Sealing
  /** Sends one signed request without a message. */
  readonly sendTest: (subscription: Subscription) => Promise<Attempt>
}

// How long a request waits for the owner to do what it asks for. It is done also when this is too short.
const OWNER_TIMEOUT_MS = 5000
const LOOK_MS = 25
const READ_TIMEOUT_MS = 10_000

/** Push subscriptions as routes use them. Every change is a command in the log, so that any instance may take it. */
export class Push implements PushPort {
  readonly #options: PushOptions

  constructor (options: PushOptions) {
    this.#options = options
  }

  async put (key: SubscriptionKey, definition: Definition, ifVersion: IfVersion): Promise<Subscription> {
    const starts = await startsOf(key, definition, this.#options.definitions.get(key), this.#options.broker)
    return await this.#change(key, { type: 'put', definition, starts }, ifVersion)
  }

  async get (key: SubscriptionKey): Promise<Subscription> {
    await this.#caughtUp()
    return this.#options.definitions.get(key) ?? notFound(key)
  }

  async list (): Promise<readonly Subscription[]> {
    await this.#caughtUp()
    return [...this.#options.definitions.values()]
  }

  async delete (key: SubscriptionKey, ifVersion: IfVersion): Promise<void> {
    await this.#submit(key, { type: 'delete' }, ifVersion)
  }

  async pause (key: SubscriptionKey): Promise<Subscription> {
    const units = await unitsIfThere(key, this.#options.broker) ?? []
    const subscription = await this.#change(key, { type: 'pause', cause: 'operator' })
    await this.#whenDone(() => units.every((unit) => this.#hasStopped(unit)))
    return subscription
  }

  async resume (key: SubscriptionKey): Promise<Subscription> {
    return await this.#change(key, { type: 'resume' })
  }

  async reset (key: SubscriptionKey, to: Position, partitions?: readonly string[]): Promise<Subscription> {
    const { broker, definitions } = this.#options
    await this.get(key)
    const units = (await unitsOf(key, broker))
      .filter(({ partition }) => partitions === undefined || partitions.includes(partition))
    const offsets = await Promise.all(units.map(async (unit): Promise<[string, number]> => {
      return [unit.partition, await broker.consumers.resetTarget(sourceOf(unit), to)]
    }))
    const { generation } = await this.#change(key, { type: 'reset', offsets: Object.fromEntries(offsets) })
    await this.#whenDone(() => {
      const subscription = definitions.get(key)
      return subscription?.generation !== generation || Object.keys(subscription.resets).length === 0
    })
    return definitions.get(key) ?? notFound(key)
  }

  async skip (key: SubscriptionKey, offset: number, partition = ''): Promise<Subscription> {
    const subscription = await this.get(key)
    const { nextOffset: standsOn, lag } = await this.#statusOf({ key, partition, redrive: '' }, subscription)
    if (standsOn !== offset) {
      const place = standsOn === null ? 'has not begun' : `stands on offset ${standsOn}`
      throw new PushError('subscription_stands_elsewhere', `the subscription ${place}`, { nextOffset: standsOn })
    }
    // It would skip a message of later, which the caller has not seen.
    if (lag === 0) {
      const text = 'the subscription has delivered everything: there is no message to skip'
      throw new PushError('subscription_stands_elsewhere', text, { nextOffset: standsOn })
    }
    return await this.#change(key, { type: 'skip', partition, offset })
  }

  async test (key: SubscriptionKey): Promise<Attempt & { readonly tookMs: number }> {
    const subscription = await this.get(key)
    const startedMs = performance.now()
    const attempt = await this.#options.sendTest(subscription)
    return { ...attempt, tookMs: performance.now() - startedMs }
  }

  async status (subscription: Subscription): Promise<ReadonlyMap<string, SubscriptionStatus>> {
    const units = await unitsIfThere(subscription.key, this.#options.broker)
    if (units === undefined) return new Map([['', statusWithoutSource(subscription)]])
    return new Map(await Promise.all(units.map(async (unit): Promise<[string, SubscriptionStatus]> => {
      return [unit.partition, await this.#statusOf(unit, subscription)]
    })))
  }

  async startRedrive (key: SubscriptionKey, request: RedriveRequest): Promise<RedriveProgress> {
    const id = randomUUID()
    const { definition: { errorStream } } = await this.get(key)
    const signal = AbortSignal.timeout(READ_TIMEOUT_MS)
    const fixed = await bounded(this.#options.broker.reading, errorStream, key, request, signal)
    const { redrives } = await this.#change(key, { type: 'redrive', id, request: fixed, at: Date.now() })
    return this.#progressOf(key, redrives.find((redrive) => redrive.id === id) ?? noRedrive(id))
  }

  async redrives (key: SubscriptionKey): Promise<readonly RedriveProgress[]> {
    return (await this.get(key)).redrives.map((redrive) => this.#progressOf(key, redrive))
  }

  async endRedrive (key: SubscriptionKey, id: string): Promise<void> {
    const { redrives } = await this.get(key)
    if (!redrives.some((redrive) => redrive.id === id)) noRedrive(id)
    await this.#change(key, { type: 'redriveEnd', id, state: 'cancelled' })
  }

  seal (key: SubscriptionKey, text: string): string {
    return this.#options.sealing.seal(text, sealContext(key))
  }

  refusalOf (url: string): string | undefined {
    return this.#options.guard.refusalOf(url)
  }

  async #change (key: SubscriptionKey, change: Change, ifVersion?: IfVersion): Promise<Subscription> {
    return await this.#submit(key, change, ifVersion) ?? notFound(key)
  }

  async #submit (key: SubscriptionKey, change: Change, ifVersion: IfVersion): Promise<Subscription | undefined> {
    const { outcome, subscription } = await this.#options.definitions.submit(key, change, ifVersion)
    switch (outcome) {
      case 'applied':
      case 'known':
        return subscription
      case 'not_found':
        return notFound(key)
      case 'precondition_failed':
        throw new PushError('subscription_version_differs', versionText(subscription), {
          version: subscription?.version ?? null
        })
      case 'too_many':
        throw tooMany(change)
    }
  }

  #progressOf (key: SubscriptionKey, redrive: Redrive): RedriveProgress {
    const { id, state } = redrive
    const last = this.#options.known.of(unitId({ key, partition: '', redrive: id }))
    const record = state === 'running' ? last : undefined
    return { redrive, position: record?.nextOffset ?? null, record, counts: last?.counts }
  }

  async #statusOf (unit: Unit, subscription: Subscription): Promise<SubscriptionStatus> {
    const { known, broker } = this.#options
    return await statusOf(unit, subscription, known, broker)
  }

  // Without an owner nothing is delivered.
  #hasStopped (unit: Unit): boolean {
    const { known } = this.#options
    if (known.slots === undefined || known.ownerOf(slotOf(unit, known.slots)) === undefined) return true
    return known.of(unitId(unit))?.state === 'stopped'
  }

  async #whenDone (isDone: () => boolean): Promise<void> {
    const untilMs = performance.now() + OWNER_TIMEOUT_MS
    while (!isDone() && performance.now() < untilMs) await delay(LOOK_MS)
  }

  async #caughtUp (): Promise<void> {
    await this.#options.definitions.caughtUp(AbortSignal.timeout(READ_TIMEOUT_MS))
  }
}

function notFound ({ subscription, stream }: SubscriptionKey): never {
  throw new PushError('subscription_not_found', `"${stream}" has no subscription "${subscription}"`)
}

function noRedrive (id: string): never {
  throw new PushError('redrive_not_found', `the subscription has no redrive ${id}`)
}

function versionText (subscription: Subscription | undefined): string {
  return subscription === undefined
    ? 'the subscription does not exist'
    : `the subscription has version ${subscription.version}`
}

const MAX_SUBSCRIPTIONS = 1000
const MAX_REDRIVES = 10

function tooMany ({ type }: Change): PushError {
  return type === 'redrive'
    ? new PushError('too_many_redrives', 'too many redrives of the subscription run', { limit: MAX_REDRIVES })
    : new PushError('too_many_subscriptions', 'there are too many subscriptions', { limit: MAX_SUBSCRIPTIONS })
}
