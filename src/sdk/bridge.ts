import { SDK_BRIDGE, SDK_BRIDGE_VERSION, type SdkBridge } from '../ipc/sdk-bridge';

/** The agent in this process; null: the bot does not run under botctl, or under another version of it. */
export function bridge(): SdkBridge | null {
  const found = (globalThis as Record<symbol, unknown>)[SDK_BRIDGE] as SdkBridge | undefined;
  return found?.version === SDK_BRIDGE_VERSION ? found : null;
}
