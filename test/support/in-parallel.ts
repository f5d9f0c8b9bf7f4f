/** Calls `act` with 0 to count - 1, with at most `width` calls under way at a time. */
export async function inParallel (count: number, width: number, act: (index: number) => Promise<void>): Promise<void> {
  let next = 0
  const work = async (): Promise<void> => { while (next < count) await act(next++) }
  await Promise.all(Array.from({ length: width }, work))
}
