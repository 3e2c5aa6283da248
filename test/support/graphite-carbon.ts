/** A graphite-web and a Carbon that belong together: the one renders what the other stores, and finds it by its tags. */
import { type Carbon, type CarbonOptions, startCarbon } from './carbon.ts';
import { type Graphite, type GraphiteOptions, startGraphite } from './graphite.ts';
import { freePorts } from './rabbitmq-node.ts';

export interface GraphiteAndCarbon {
  readonly graphite: Graphite;
  readonly carbon: Carbon;
  close(): Promise<void>;
}

export async function startGraphiteAndCarbon(
  options: {
    readonly graphite?: Omit<GraphiteOptions, 'carbon' | 'port'>;
    readonly carbon?: Omit<CarbonOptions, 'graphiteUrl'>;
  } = {},
): Promise<GraphiteAndCarbon> {
  const [port = 0] = await freePorts(1);
  // Carbon first, whose ports and folder graphite-web is told; it needs graphite-web only when series come.
  const carbon = await startCarbon({ ...options.carbon, graphiteUrl: `http://127.0.0.1:${port}` });
  try {
    const graphite = await startGraphite({ ...options.graphite, port, carbon });
    return {
      graphite,
      carbon,
      async close() {
        await Promise.all([graphite.close(), carbon.close()]);
      },
    };
  } catch (error) {
    await carbon.close();
    throw error;
  }
}
