import type { FieldError } from '../../api/field-error.ts'
import { HIDDEN } from '../../api/subscription-parts.ts'
import type { Secret } from '../../push/definitions/definition.ts'
import { keyOf, newSecret } from '../../push/delivery/signature.ts'

const MAX_SECRETS = 4
const FORM = 'must be whsec_ and 24 to 64 bytes in base64'

export type Seal = (text: string) => string

/** The secrets of a definition, and the one that was made for it, to be shown once. */
export interface Secrets { readonly secrets: readonly Secret[], readonly made: string | undefined }

/**
 * @param given undefined: as they are; `***` stands for those that the subscription has
 * @param known what the subscription has; undefined: it is new
 * @param errors what is wrong is added to it
 */
export function secretsOf (
  given: readonly string[] | undefined, known: readonly Secret[] | undefined, seal: Seal, errors: FieldError[]
): Secrets {
  const live = liveOf(known ?? [], Date.now())
  if (given === undefined) {
    if (known !== undefined) return { secrets: live, made: undefined }
    const made = newSecret()
    return { secrets: [{ sealed: seal(made), until: null }], made }
  }
  for (const [index, secret] of given.entries()) {
    const pointer = `/secrets/${index}`
    if (secret !== HIDDEN && keyOf(secret) === undefined) errors.push({ pointer, message: FORM })
    if (secret === HIDDEN && live.length === 0) {
      errors.push({ pointer, message: `must be a secret: ${HIDDEN} stands for none here` })
    }
  }
  const own = given.filter((secret) => secret !== HIDDEN)
  const secrets = [
    ...own.map((secret) => ({ sealed: seal(secret), until: null })), ...own.length < given.length ? live : []
  ]
  if (secrets.length > MAX_SECRETS) {
    errors.push({ pointer: '/secrets', message: `must be at most ${MAX_SECRETS}, with those that are there` })
  }
  return { secrets, made: undefined }
}

/** The secrets after one was replaced: the new one first, the old ones until a time or their own end. */
export function rotated (known: readonly Secret[], sealed: string, untilMs: number, nowMs: number): readonly Secret[] {
  const old = liveOf(known, nowMs)
    .map((secret) => ({ ...secret, until: Math.min(secret.until ?? untilMs, untilMs) }))
    .filter(({ until }) => until > nowMs)
  return [{ sealed, until: null }, ...old].slice(0, MAX_SECRETS)
}

function liveOf (secrets: readonly Secret[], nowMs: number): readonly Secret[] {
  return secrets.filter(({ until }) => until === null || until > nowMs)
}
