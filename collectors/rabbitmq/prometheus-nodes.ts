/** Each node of a broker is asked, and each counts once. */
import { asFailure, Failure } from '../../src/errors.ts';
import { quoted } from '../../src/text.ts';
import { AT_ONCE } from './prometheus-requests.ts';
import type { Identity } from './prometheus-status.ts';

/** By URL: who answered there last, and whether it counts by queue. */
export type KnownNodes = Map<string, Identity & { readonly countsByQueue: boolean | undefined }>;

/** What one node said in this run, or why not. */
export interface Answer<Page> {
  readonly url: string;
  /** Its name, where it is known from this run or an earlier one. */
  readonly node: string | undefined;
  readonly page: Page | undefined;
  readonly failure: Failure | undefined;
  /** Another URL is the same node, and its answer is the one that counts. */
  readonly isTwin: boolean;
}

type Ask<Page> = (url: string) => Promise<Page>;

export async function askAll<Page extends { readonly identity: Identity }>(
  urls: readonly string[],
  known: KnownNodes,
  ask: Ask<Page>,
): Promise<Answer<Page>[]> {
  const answers = new Map<string, Answer<Page>>();
  const waiting = [...new Set(urls)];
  const work = async (): Promise<void> => {
    for (let url = waiting.shift(); url !== undefined; url = waiting.shift()) {
      answers.set(url, await answerOf(url, known, ask));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return withoutTwins(urls.flatMap((url) => answers.get(url) ?? []));
}

async function answerOf<Page extends { readonly identity: Identity }>(
  url: string,
  known: KnownNodes,
  ask: Ask<Page>,
): Promise<Answer<Page>> {
  try {
    const page = await ask(url);
    const { identity } = page;
    const before = known.get(url);
    // Another version may count otherwise: it is found out anew.
    const isSame = before?.node === identity.node && before.version === identity.version;
    known.set(url, { ...identity, countsByQueue: isSame ? before.countsByQueue : undefined });
    return { url, node: identity.node, page, failure: undefined, isTwin: false };
  } catch (thrown) {
    return { url, node: known.get(url)?.node, page: undefined, failure: asFailure(thrown), isTwin: false };
  }
}

/** Two URLs of one node (a balancer, an alias) must not count its queues twice. */
function withoutTwins<Page>(answers: readonly Answer<Page>[]): Answer<Page>[] {
  const seen = new Map<string, string>();
  return answers.map((answer) => {
    const { url, node, page } = answer;
    if (page === undefined || node === undefined) return answer;
    const twin = seen.get(node);
    seen.set(node, twin ?? url);
    if (twin === undefined) return answer;
    const message = `${url} and ${twin} are the same node ${quoted(node)}: give one URL for each node`;
    const failure = new Failure('E_CONFIG', message, { url, labels: { endpoint: url } });
    return { url, node, page: undefined, failure, isTwin: true };
  });
}
