const client = new Client({ intents: [;
