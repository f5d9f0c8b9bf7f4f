import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The checkout. */
export const projectDirectory = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')

/**
 * All that these scripts keep, git-ignored: data of private brokers, root folders, locks. Safe to delete while nothing
 * runs.
 */
export const stateDirectory = resolve(projectDirectory, '.private-broker')

/** Root folders with a RabbitMQ in them; several checkouts may share them through PRIVATE_BROKER_ROOTS. */
export const rootsDirectory = resolve(projectDirectory, process.env['PRIVATE_BROKER_ROOTS'] || '.private-broker/roots')
