import type { Change, Outcome, Redrive, RedriveEnd, Subscription } from './command.ts'

const MAX_RUNNING_REDRIVES = 10
const KEPT_ENDED_REDRIVES = 20

/** A change of a subscription that exists. */
type InPlace = Exclude<Change, { readonly type: 'put' | 'delete' }>

/**
 * The subscription after a change, which is the same one when the change finds what it asks for; or why it does not
 * change.
 *
 * @param offset of the command in the log: the version from then on
 */
export function changed (before: Subscription, change: InPlace, offset: number): Subscription | Outcome {
  const { definition, generation, resets, skips } = before
  switch (change.type) {
    case 'pause':
      if (definition.paused !== null) return before
      return { ...before, version: offset, definition: { ...definition, paused: change.cause } }
    case 'resume':
      if (definition.paused === null) return before
      return { ...before, version: offset, definition: { ...definition, paused: null } }
    case 'reset':
      return {
        ...before,
        version: offset,
        generation: generation + 1,
        resets: { ...resets, ...change.offsets },
        skips: {}
      }
    case 'resetDone':
      if (change.generation !== generation) return 'precondition_failed'
      return { ...before, resets: without(resets, change.partition) }
    case 'skip':
      return { ...before, version: offset, skips: { ...skips, [change.partition]: change.offset } }
    case 'redrive':
      return redriven(before, { id: change.id, request: change.request, at: change.at, state: 'running' })
    case 'redriveEnd':
      return ended(before, change.id, change.state)
  }
}

function without (offsets: Readonly<Record<string, number>>, partition: string): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(offsets).filter(([name]) => name !== partition))
}

function redriven (before: Subscription, redrive: Redrive): Subscription | Outcome {
  const { redrives } = before
  if (redrives.some(({ id }) => id === redrive.id)) return 'precondition_failed'
  if (redrives.filter(({ state }) => state === 'running').length >= MAX_RUNNING_REDRIVES) return 'too_many'
  return { ...before, redrives: [...redrives, redrive] }
}

function ended (before: Subscription, id: string, state: RedriveEnd): Subscription | Outcome {
  const redrive = before.redrives.find((known) => known.id === id)
  if (redrive === undefined) return 'not_found'
  if (redrive.state !== 'running') return before
  // In the order of their ends, so that one that has run for long is not the first to be forgotten.
  const redrives = [...before.redrives.filter((known) => known !== redrive), { ...redrive, state }]
  const surplus = redrives.filter((known) => known.state !== 'running').slice(0, -KEPT_ENDED_REDRIVES)
  return { ...before, redrives: redrives.filter((known) => !surplus.includes(known)) }
}
