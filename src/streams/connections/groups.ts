import { Group, type GroupOptions } from './group.ts'
import { Isolation } from './isolation.ts'
import type { Endpoint, Role } from './opener.ts'
import type { SlotOwner } from './slot.ts'
import type { SharedConnection } from './shared-connection.ts'

/** A connection and where it belongs. */
export interface Member { readonly group: Group, readonly shared: SharedConnection }

type Pauses = Pick<GroupOptions, 'reconnectDelayMs' | 'maxReconnectDelayMs'>

/** The groups of a pool. */
export class Groups {
  readonly #pauses: Pauses
  readonly #byKey = new Map<string, Group>()
  readonly #isolation = new Isolation()

  constructor (pauses: Pauses) {
    this.#pauses = pauses
  }

  get all (): Group[] {
    return [...this.#byKey.values()]
  }

  get size (): number {
    let size = 0
    for (const group of this.#byKey.values()) size += group.size
    return size
  }

  /** The group for requests without a place, if there is one. */
  find (role: Role): Group | undefined {
    return this.#byKey.get(role)
  }

  isolate (stream: string): void {
    this.#isolation.isolate(stream)
  }

  /**
   * Publishers with a name are not on one connection with publishers without. What a named one asks the broker can end
   * its connection, and what the others have sent could not be sent again. Nor are slow subscriptions on one connection
   * with others, which would wait for them. What is asked on connections for 'streams' (metadata, create, delete) does
   * not end them.
   */
  of (
    role: Role,
    node: Endpoint | undefined,
    stream?: string,
    { isNamed = false, isSlow = false }: Pick<SlotOwner, 'isNamed' | 'isSlow'> = {}
  ): Group {
    const lane = stream === undefined || role === 'streams' ? undefined : this.#isolation.laneOf(stream)
    const key = keyOf(role, node) + (isNamed ? ' named' : '') + (isSlow ? ' slow' : '') +
      (lane === undefined ? '' : ` lane ${lane}`)
    let group = this.#byKey.get(key)
    if (group === undefined) {
      group = new Group({ role, node, ...this.#pauses })
      this.#byKey.set(key, group)
    }
    return group
  }

  /** The connections that nothing has used since then, by performance.now(), the one used last at the end. */
  unusedSince (beforeMs: number): Member[] {
    return this.all
      .flatMap((group) => group.unusedSince(beforeMs).map((shared) => ({ group, shared })))
      .sort((a, b) => a.shared.lastUsedMs - b.shared.lastUsedMs)
  }

  /** The connections that were replaced and not used since then, by performance.now(). */
  replacedBefore (beforeMs: number): Member[] {
    return this.all.flatMap((group) => group.replacedBefore(beforeMs).map((shared) => ({ group, shared })))
  }

  /** Forgets the groups that hold and know nothing. */
  tidy (): void {
    for (const [key, group] of this.#byKey) if (group.isOfNoUse) this.#byKey.delete(key)
  }
}

function keyOf (role: Role, node: Endpoint | undefined): string {
  return node === undefined ? role : `${role} ${node.host}:${node.port}`
}
