CREATE TABLE items (
    id VARCHAR(64) NOT NULL,
    truth VARCHAR(16) NOT NULL,
    look VARCHAR(64) NOT NULL,
    model_set VARCHAR(64) NOT NULL,
    start VARCHAR(16) NOT NULL,
    expression VARCHAR(64),
    rehearsal BOOLEAN NOT NULL,
    PRIMARY KEY (id)
);
INSERT INTO "items" VALUES('picture','generated','grey','mini','plate',NULL,0);
CREATE TABLE rounds (
    id VARCHAR(64) NOT NULL,
    item VARCHAR(64) NOT NULL,
    asked_once VARCHAR(64),
    at VARCHAR(32) NOT NULL,
    room BOOLEAN NOT NULL,
    state VARCHAR(16) NOT NULL,
    closes_at VARCHAR(32),
    informed BOOLEAN NOT NULL,
    asks_familiarity BOOLEAN NOT NULL,
    seen BOOLEAN NOT NULL,
    again BOOLEAN NOT NULL,
    event VARCHAR(200) NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(item) REFERENCES items (id),
    UNIQUE (asked_once)
);
INSERT INTO "rounds" VALUES('a-round-of-version-five','picture','picture','2026-11-01T19:59:00+00:00',0,'open',NULL,0,0,0,0,'');
CREATE INDEX ix_rounds_item ON rounds (item);
CREATE TABLE guesses (
    round VARCHAR(64) NOT NULL,
    voter VARCHAR(64) NOT NULL,
    answer VARCHAR(16) NOT NULL,
    exposed BOOLEAN NOT NULL,
    seconds FLOAT NOT NULL,
    at VARCHAR(32) NOT NULL,
    them BOOLEAN,
    knows VARCHAR(16),
    source VARCHAR(16) NOT NULL,
    PRIMARY KEY (round, voter),
    FOREIGN KEY(round) REFERENCES rounds (id)
);
INSERT INTO "guesses" VALUES('a-round-of-version-five','ada','photograph',0,1.5,'2026-11-01T20:00:00+00:00',NULL,NULL,'booth');
INSERT INTO "guesses" VALUES('a-round-of-version-five','bob','generated',0,1.5,'2026-11-01T20:01:00+00:00',NULL,NULL,'booth');
INSERT INTO "guesses" VALUES('a-round-of-version-five','cy','generated',0,1.5,'2026-11-01T20:02:00+00:00',NULL,NULL,'booth');
CREATE TABLE drifts (
    sitter VARCHAR(64) NOT NULL,
    band INTEGER NOT NULL,
    look VARCHAR(64) NOT NULL,
    model_set VARCHAR(64) NOT NULL,
    rehearsal BOOLEAN NOT NULL,
    measures JSON NOT NULL,
    event VARCHAR(200) NOT NULL,
    PRIMARY KEY (sitter)
);
CREATE TABLE pardons (
    until VARCHAR(32) NOT NULL,
    PRIMARY KEY (until)
);
CREATE TABLE room (
    id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    programme JSON NOT NULL,
    place INTEGER NOT NULL,
    scene VARCHAR(16) NOT NULL,
    round VARCHAR(64),
    "left" JSON,
    blank BOOLEAN NOT NULL,
    rehearsing BOOLEAN NOT NULL,
    informed BOOLEAN NOT NULL,
    asks_familiarity BOOLEAN NOT NULL,
    seconds INTEGER NOT NULL,
    start VARCHAR(16) NOT NULL,
    code VARCHAR(16) NOT NULL,
    event VARCHAR(200) NOT NULL,
    PRIMARY KEY (id)
);
CREATE TABLE schema (
    version INTEGER NOT NULL,
    PRIMARY KEY (version)
);
CREATE TABLE secrets (
    id INTEGER NOT NULL,
    voters VARCHAR(64) NOT NULL,
    PRIMARY KEY (id)
);
INSERT INTO "room" VALUES(1,1,'[]',0,'ready',NULL,'null',0,0,0,0,0,'','abcd','An evening');
INSERT INTO "schema" VALUES(5);
INSERT INTO "secrets" VALUES(1,'a secret of the last version');
