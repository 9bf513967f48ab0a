-- Backups that were made: backup.sh writes a row once a dump lies in its place.
-- depends: 0014.registration

CREATE TABLE backup_run (
    file        text NOT NULL
                CONSTRAINT backup_run_pkey PRIMARY KEY
                CONSTRAINT backup_run_file_named CHECK (length(file) BETWEEN 1 AND 255),
    started_at  timestamptz NOT NULL,
    finished_at timestamptz NOT NULL DEFAULT now(),
    bytes       bigint NOT NULL,
    sha256      text NOT NULL,
    -- restored into a scratch database, and the books added up there
    verified    boolean NOT NULL,
    CONSTRAINT backup_run_in_order CHECK (started_at <= finished_at),
    CONSTRAINT backup_run_not_empty CHECK (bytes > 0),
    CONSTRAINT backup_run_digest CHECK (sha256 ~ '^[0-9a-f]{64}$')
);
COMMENT ON TABLE backup_run IS 'Backups that were made; no secret, no place, only the name of the file.';
COMMENT ON CONSTRAINT backup_run_pkey ON backup_run IS 'A file is one backup: names carry the second.';
COMMENT ON CONSTRAINT backup_run_file_named ON backup_run IS 'What file systems take.';
COMMENT ON CONSTRAINT backup_run_in_order ON backup_run IS 'A backup ends after it begins.';
COMMENT ON CONSTRAINT backup_run_not_empty ON backup_run IS 'A dump of no bytes is none.';
COMMENT ON CONSTRAINT backup_run_digest ON backup_run IS 'SHA-256 of the dump, to know it again.';

CREATE INDEX backup_run_success ON backup_run (finished_at) WHERE verified;
