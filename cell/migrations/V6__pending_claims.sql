-- Claims whose sign-up is not known to have been finished: settled in time even if nobody asks for the address.
CREATE INDEX email_claims_pending ON email_claims (claimed_at_ms, email) WHERE NOT active;
