import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** The PATH, and the folders of Debian's administration programs, which root's PATH lacks after a plain `su`. */
export function searchPath () {
  return [process.env['PATH'], '/usr/sbin', '/sbin'].join(delimiter)
}

/** @param {string} program @returns {string | undefined} its full path */
export function findOnPath (program) {
  return searchPath().split(delimiter).map(directory => join(directory, program)).find(isExecutable)
}

/** @param {string} path */
export function isExecutable (path) {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
