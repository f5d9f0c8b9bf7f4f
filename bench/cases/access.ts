import { HASH_PREFIX } from '../../src/access/keys/key-file.ts'
import { hashOfKey, makeKey } from '../../src/access/keys/key.ts'
import { compare } from '../compare.ts'
import { ratioGoal, type Case } from './case.ts'
import { singlesSide } from './publish.ts'

// As many as an environment variable can hold. A key is found by its hash: their number does not matter.
const KEYS = 400

export const accessCases: readonly Case[] = [
  {
    name: 'api-keys',
    workload: `publish-one with one of ${KEYS} API keys: of all requests the one in which asking who calls weighs most`,
    baseline: 'the same without authentication',
    async run (bench, amount) {
      const open = await bench.gateway()
      const keys = Array.from({ length: KEYS }, makeKey)
      const entries = keys.map(({ id, key }) => (
        { id, name: `caller-${id}`, hash: HASH_PREFIX + hashOfKey(key), scopes: ['write:*/bench-*', 'read:*/bench-*'] }
      ))
      const guarded = await bench.gateway({ AUTH: 'api-keys', API_KEYS: JSON.stringify({ keys: entries }) })
      const baseline = await singlesSide(bench, open)
      const candidate = await singlesSide(bench, guarded, {
        stream: await bench.stream(open), headers: { authorization: `Bearer ${keys[0]?.key ?? ''}` }
      })
      const comparison = await compare(candidate, baseline, amount)
      return { ...comparison, goals: [ratioGoal(0.95, comparison.ratio)] }
    }
  }
]
