import { classify } from '../classify.ts'
import { chosen, type Partition, type Partitions, type SuperStream } from '../merging/partitions.ts'
import type { PartitionCheck } from './super-streams-port.ts'

export interface Checked {
  /** @throws StreamsError `super_stream_not_found`, ...; what the check throws */
  readonly first: () => Promise<SuperStream>
  /** Those that are wanted and still there. */
  readonly again: { readonly find: () => Promise<readonly Partition[]>, readonly forget: () => void }
}

/** Finds the partitions that a caller wants to follow, again and again, and checks each of them. */
export function checked (
  partitions: Partitions, superStream: string, names: readonly string[] | undefined, check: PartitionCheck
): Checked {
  const find = async (): Promise<SuperStream> => {
    return await partitions.find(superStream).catch((error: unknown) => { throw classify(error) })
  }
  const checkAll = (wanted: readonly Partition[]): readonly Partition[] => {
    for (const { name, stream } of wanted) check(name, stream)
    return wanted
  }
  return {
    async first () {
      const found = await find()
      checkAll(chosen(found, names))
      return found
    },
    again: {
      async find () {
        const found = await find()
        return checkAll(found.partitions.filter(({ name }) => names?.includes(name) ?? true))
      },
      forget () { partitions.forget(superStream) }
    }
  }
}
