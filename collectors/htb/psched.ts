/**
 * What one tick of the packet scheduler is, in seconds, from the text of /proc/net/psched: `000003e8 00000040 000f4240
 * 3b9aca00` (psched_show() of the kernel's net/sched/sch_api.c, as iproute2 takes it). Undefined: not such a text. Pure.
 */
export function tickSeconds(text: string): number | undefined {
  const words = text.trim().split(/[ \t]+/);
  if (words.length < 3 || !words.every((word) => /^[0-9a-f]{1,8}$/i.test(word))) return undefined;
  const [nanoseconds = 0, tick = 0, resolution = 0] = words.map((word) => Number.parseInt(word, 16));
  // A clock of nanoseconds (kernels around 2.6.25) is not scaled a second time.
  const perMicrosecond = resolution === 1e9 ? 1000 : (nanoseconds / tick) * (resolution / 1e6);
  const seconds = 1 / (perMicrosecond * 1e6);
  return Number.isFinite(seconds) && seconds > 0 ? seconds : undefined;
}
