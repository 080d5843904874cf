-- No key: what is written twice shall show.
CREATE TABLE answer (guild_id bigint NOT NULL, id bigint GENERATED ALWAYS AS IDENTITY, interaction text NOT NULL, PRIMARY KEY (guild_id, id));
CREATE TABLE visit (guild_id bigint PRIMARY KEY, n int NOT NULL);
