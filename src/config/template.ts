/** What `botctl init` writes. */
export function initTemplate({ name, entry }: { name: string; entry: string }): string {
  return `# yaml-language-server: $schema=./node_modules/botctl/config/botctl.schema.json
# All keys: node_modules/botctl/config/REFERENCE.md, or \`botctl config schema\`.

bot:
  name: ${JSON.stringify(name)}
  entry: ${JSON.stringify(entry)}
  # From the environment, or from the file that DISCORD_TOKEN_FILE names. Never write the token here.
  token: \${DISCORD_TOKEN}

sharding:
  # What Discord recommends, in processes of 8 shards each.
  totalShards: auto
  shardsPerCluster: 8

# Without these two botctl runs its own servers in stateDir.
# postgres:
#   shards: ["\${DATABASE_URL}"]
# redis:
#   url: \${REDIS_URL}

http:
  # Status page. Loopback only: it asks for no password.
  host: 127.0.0.1
  port: 9090

stateDir: .botctl
`;
}
