-- One database for each province and one for the ledger, made when the server starts for the first time.
-- Each has an owner of its own, so that no registry can read another's rows.
\getenv password POSTGRES_PASSWORD
SELECT format('CREATE ROLE %I LOGIN PASSWORD %L', name, :'password')
  FROM (VALUES ('registry_32'), ('registry_33'), ('registry_44'), ('ledger')) AS wanted (name) \gexec
SELECT format('CREATE DATABASE %I OWNER %I', name, name)
  FROM (VALUES ('registry_32'), ('registry_33'), ('registry_44'), ('ledger')) AS wanted (name) \gexec
SELECT format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', name)
  FROM (VALUES ('registry_32'), ('registry_33'), ('registry_44'), ('ledger')) AS wanted (name) \gexec
