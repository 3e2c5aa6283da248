/** The changelogs of a package: ours, and Debian's, which says when which version was packaged. */
import { MAINTAINER, type PackageName } from './control.ts';

/** deb-changelog(5). The date is that of the sources. */
export function debianChangelog(name: PackageName, version: string, epoch: number): string {
  return `${name} (${version}) unstable; urgency=medium

  * What changed is told in changelog.gz beside this file.

 -- ${MAINTAINER}  ${rfc2822(epoch)}
`;
}

/** `Sat, 21 Nov 2026 21:00:00 +0000` of seconds since the epoch. */
export function rfc2822(epoch: number): string {
  return new Date(epoch * 1000).toUTCString().replace('GMT', '+0000');
}
