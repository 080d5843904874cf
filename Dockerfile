# Your bot under botctl:
#   docker build -t botctl .
#   docker run -v ./my-bot:/bot -v my-bot-state:/bot/.botctl -e DISCORD_TOKEN_FILE=/run/secrets/token botctl

FROM node:20-bookworm-slim AS build
WORKDIR /botctl
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json ./
COPY bin ./bin
COPY src ./src
COPY config ./config
RUN npm run build && npm prune --omit=dev --omit=peer

FROM node:20-bookworm-slim
# tini as process 1: it reaps orphans and passes signals on.
RUN apt-get update \
  && apt-get install -y --no-install-recommends tini \
  && rm -rf /var/lib/apt/lists/*
COPY --from=build /botctl/package.json /botctl/package.json
COPY --from=build /botctl/node_modules /botctl/node_modules
COPY --from=build /botctl/dist /botctl/dist
COPY --from=build /botctl/config /botctl/config
RUN chmod +x /botctl/dist/bin/botctl.js \
  && ln -s /botctl/dist/bin/botctl.js /usr/local/bin/botctl \
  && install -d -o node -g node -m 0700 /bot/.botctl \
  && chown node:node /bot
ENV NODE_ENV=production
USER node
WORKDIR /bot
VOLUME ["/bot/.botctl"]
STOPSIGNAL SIGTERM
# Is the supervisor alive? A swarm replaces what is unhealthy, and a new container cures no sick database, nor Discord.
# Where nothing is replaced, `botctl health` shows more in `docker ps`.
HEALTHCHECK --interval=30s --timeout=10s --start-period=1m --retries=3 CMD ["botctl", "health", "--live"]
ENTRYPOINT ["tini", "--", "botctl"]
CMD ["start"]
