import { classify } from '../classify.ts'
import { chosen, type Partition, type Partitions, type SuperStream } from '../merging/partitions.ts'
import type { PartitionCheck } from './super-streams-port.ts'

/** Finds the partitions that a caller wants to follow, again and again, and checks each of them. */
export function checked (
  partitions: Partitions, superStream: string, names: readonly string[] | undefined, check: PartitionCheck
): { readonly first: () => Promise<SuperStream>, readonly again: () => Promise<readonly Partition[]> } {
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
    // One that was chosen may be gone by now.
    async again () {
      const found = await find()
      return checkAll(found.partitions.filter(({ name }) => names?.includes(name) ?? true))
    }
  }
}
