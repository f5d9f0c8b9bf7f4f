import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of the project. */
export const projectDirectory = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')

/**
 * Everything that these scripts keep, ignored by git: data of private brokers, root folders, locks. It may be deleted
 * while nothing runs.
 */
export const stateDirectory = resolve(projectDirectory, '.private-broker')

/** Root folders with a RabbitMQ in each. Several checkouts may share them through PRIVATE_BROKER_ROOTS. */
export const rootsDirectory = resolve(projectDirectory, process.env['PRIVATE_BROKER_ROOTS'] || '.private-broker/roots')
