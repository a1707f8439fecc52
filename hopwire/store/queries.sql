-- Every query, by name. Written once for SQLite and PostgreSQL:
--   :name          a parameter
--   {in name}      a list parameter: "IN (…)" over a JSON array, or "= ANY(…)"
--   {for_update}   row locks where the engine has them; SQLite has one writer, and locks nothing
--   {skip_locked}  the same, passing over what another worker is holding

-- name: has_tables
{has_tables}

-- name: schema_version
SELECT value FROM meta WHERE name = 'schema_version'

-- name: set_schema_version
UPDATE meta SET value = :value WHERE name = 'schema_version'

-- name: engine_version
{engine_version}

-- name: database_bytes
{database_bytes}

-- name: name_installation
INSERT INTO meta (name, value) VALUES ('installation', :value) ON CONFLICT (name) DO NOTHING

-- name: installation
SELECT value FROM meta WHERE name = 'installation'

-- name: take_ids
UPDATE counters SET value = value + :n WHERE name = 'message_id' RETURNING value

-- ---- acceptance

-- name: lock_funds
SELECT id, balance - reserved + credit_limit FROM accounts WHERE id {in ids} ORDER BY id {for_update}

-- name: reserve_funds
UPDATE accounts SET reserved = reserved + :amount WHERE id = :id

-- name: stopped_among
SELECT account_id, number FROM stop_list WHERE number {in numbers}

-- name: usage_of
SELECT account_id, scope, ends_at, n FROM usage
 WHERE account_id {in accounts} AND scope {in scopes} AND ends_at > :now

-- name: count_usage
INSERT INTO usage (account_id, scope, ends_at, n) VALUES (:account_id, :scope, :ends_at, :n)
ON CONFLICT (account_id, scope, ends_at) DO UPDATE SET n = usage.n + excluded.n

-- name: old_usage
SELECT account_id, scope, ends_at FROM usage WHERE ends_at <= :now ORDER BY ends_at LIMIT :n

-- name: drop_usage
DELETE FROM usage WHERE account_id = :account_id AND scope = :scope AND ends_at = :ends_at

-- name: recent_to
SELECT account_id, number, digest, at, message_id FROM recent
 WHERE account_id {in accounts} AND number {in numbers} AND at > :since

-- name: recent_in
SELECT account_id, block, number FROM recent
 WHERE account_id {in accounts} AND block {in blocks} AND at > :since

-- name: keep_recent
INSERT INTO recent (account_id, number, digest, block, at, message_id)
VALUES (:account_id, :number, :digest, :block, :at, :message_id)
ON CONFLICT (account_id, number, digest) DO UPDATE SET at = excluded.at, message_id = excluded.message_id

-- name: old_recent
SELECT account_id, number, digest, at FROM recent WHERE at <= :before ORDER BY at LIMIT :n

-- name: drop_recent
-- Unless it was sent again meanwhile.
DELETE FROM recent WHERE account_id = :account_id AND number = :number AND digest = :digest AND at = :at

-- name: answered_among
SELECT account_id, key, fingerprint, message_id, parts, at FROM answered
 WHERE account_id {in accounts} AND key {in keys} AND at > :since

-- name: keep_answer
INSERT INTO answered (account_id, key, fingerprint, message_id, parts, at)
VALUES (:account_id, :key, :fingerprint, :message_id, :parts, :at)
ON CONFLICT (account_id, key)
DO UPDATE SET fingerprint = excluded.fingerprint, message_id = excluded.message_id, parts = excluded.parts,
              at = excluded.at

-- name: old_answers
SELECT account_id, key, at FROM answered WHERE at <= :before ORDER BY at LIMIT :n

-- name: drop_answer
DELETE FROM answered WHERE account_id = :account_id AND key = :key AND at = :at

-- name: create_message
INSERT INTO messages (id, account_id, accepted_at, send_at, recipient, transactional,
                      sms_sender, sms, viber_sender, viber, via)
VALUES (:id, :account_id, :accepted_at, :send_at, :recipient, :transactional,
        :sms_sender, :sms, :viber_sender, :viber, :via)

-- name: create_delivery
INSERT INTO deliveries (id, account_id, recipient, status, status_at, connector, due_at, timer_at,
                        worker, in_doubt, state)
VALUES (:id, :account_id, :recipient, :status, :status_at, :connector, :due_at, :timer_at,
        :worker, :in_doubt, :state)

-- ---- delivery

-- name: claim
-- Selected and locked here, updated by id later in the same transaction: an UPDATE over a sub-select may be
-- planned by PostgreSQL as a loop that locks more rows than the limit. A message that has begun is left to its
-- worker for half a minute, so that its parts leave over one session.
SELECT id, account_id, recipient, status_at, worker, state FROM deliveries
 WHERE connector = :connector AND due_at <= :now AND (worker IN ('', :worker) OR status_at <= :now - 30000)
 ORDER BY due_at, id LIMIT :n {skip_locked}

-- name: waiting_for
SELECT id, account_id, recipient, status_at, worker, state FROM deliveries
 WHERE connector = :connector AND due_at <= :now AND (due_at, id) > (:at, :last)
 ORDER BY due_at, id LIMIT :n {skip_locked}

-- name: load_messages
SELECT id, transactional, sms_sender, sms, viber_sender, viber, via FROM messages WHERE id {in ids}

-- name: due_timers
SELECT id, account_id, recipient, status_at, worker, state FROM deliveries
 WHERE timer_at <= :now ORDER BY timer_at LIMIT :n {skip_locked}

-- name: load_deliveries
SELECT id, account_id, recipient, status_at, worker, state FROM deliveries
 WHERE id {in ids} ORDER BY id {for_update}

-- name: orphans
SELECT id FROM deliveries WHERE in_doubt = 1 AND worker = :worker

-- name: in_doubt_to
SELECT id FROM deliveries WHERE recipient {in recipients} AND in_doubt = 1

-- name: save_delivery
UPDATE deliveries SET status = :status, status_at = :status_at, connector = :connector, due_at = :due_at,
       timer_at = :timer_at, worker = :worker, in_doubt = :in_doubt, state = :state
 WHERE id = :id

-- name: create_handle
INSERT INTO handles (provider_id, connector, message_id, step, part)
VALUES (:provider_id, :connector, :message_id, :step, :part)

-- name: find_handles
SELECT provider_id, connector, message_id, step, part FROM handles
 WHERE provider_id {in provider_ids} ORDER BY message_id, step, part

-- name: find_spellings
-- The delivery is looked up for the rows that are told alone; a join might be planned over all messages.
SELECT provider_id, connector, message_id, step, part,
       (SELECT recipient FROM deliveries WHERE deliveries.id = handles.message_id),
       (SELECT state FROM deliveries WHERE deliveries.id = handles.message_id)
  FROM handles WHERE provider_id {in provider_ids} ORDER BY message_id DESC, step DESC, part DESC

-- name: create_event
INSERT INTO events (message_id, at, step, part, what, status, code, detail, handed_at)
VALUES (:message_id, :at, :step, :part, :what, :status, :code, :detail, :handed_at)

-- name: no_account_among
SELECT number, until FROM no_account WHERE channel = :channel AND number {in numbers} AND until > :now

-- name: remember_no_account
INSERT INTO no_account (channel, number, until) VALUES (:channel, :number, :until)
ON CONFLICT (channel, number) DO UPDATE SET until = excluded.until

-- name: forget_no_account
DELETE FROM no_account WHERE channel = :channel AND number = :number

-- name: forget_old_no_accounts
DELETE FROM no_account WHERE until <= :now

-- name: outstanding
SELECT id, state FROM deliveries
 WHERE connector = :connector AND status = 2 AND timer_at IS NOT NULL AND id > :after ORDER BY id LIMIT :n

-- name: find_senders
-- Whose messages these ids name, the youngest last. As in find_spellings, not a join.
SELECT connector, provider_id, (SELECT recipient FROM deliveries WHERE deliveries.id = handles.message_id),
       (SELECT account_id FROM deliveries WHERE deliveries.id = handles.message_id)
  FROM handles WHERE provider_id {in provider_ids} ORDER BY message_id

-- name: senders
SELECT id, recipient, account_id FROM deliveries WHERE id {in ids}

-- ---- receipts

-- name: create_receipt
INSERT INTO receipts (received_at, connector, provider_id, recipient, outcome, code, fault, also, raw, message_id)
VALUES (:received_at, :connector, :provider_id, :recipient, :outcome, :code, :fault, :also, :raw, :message_id)

-- name: unmatched_receipts_for
-- One that another worker is looking at is passed over: `match_receipts` will meet it again.
SELECT id, received_at, connector, provider_id, recipient, outcome, code, fault, also FROM receipts
 WHERE provider_id {in provider_ids} AND message_id IS NULL ORDER BY id {skip_locked}

-- name: unmatched_receipts
SELECT id, received_at, connector, provider_id, recipient, outcome, code, fault, also FROM receipts
 WHERE message_id IS NULL AND (received_at, id) > (:at, :id)
 ORDER BY received_at, id LIMIT :n {skip_locked}

-- name: list_unmatched_receipts
SELECT received_at, connector, provider_id, recipient, outcome, code, raw, id FROM receipts
 WHERE message_id IS NULL AND (received_at, id) < (:at, :id) AND :connector IN ('', connector)
 ORDER BY received_at DESC, id DESC LIMIT :n

-- name: match_receipt
UPDATE receipts SET message_id = :message_id WHERE id = :id

-- name: forget_unmatched_receipts
DELETE FROM receipts WHERE message_id IS NULL AND received_at < :before

-- ---- money

-- name: move_funds
UPDATE accounts SET balance = balance - :charged, reserved = reserved - :settled WHERE id = :id

-- name: create_ledger_entry
INSERT INTO ledger (at, account_id, kind, amount, message_id, step)
VALUES (:at, :account_id, :kind, :amount, :message_id, :step)

-- name: create_movement
INSERT INTO ledger (at, account_id, kind, amount, message_id, step, connector, other_id, note)
VALUES (:at, :account_id, :kind, :amount, :message_id, :step, :connector, :other_id, :note)

-- name: earned_by
-- What a message has cost and earned and that was not given back.
SELECT account_id, kind, amount, step FROM ledger AS l
 WHERE message_id = :message_id AND kind IN ('charge', 'commission')
   AND NOT EXISTS (SELECT 1 FROM ledger r WHERE r.message_id = l.message_id AND r.step = l.step
                      AND r.kind = 'refund' AND r.account_id = l.account_id)
 ORDER BY account_id, step

-- name: balance_at
SELECT coalesce(sum(CASE kind WHEN 'charge' THEN -amount WHEN 'cost' THEN 0 ELSE amount END), 0) FROM ledger
 WHERE account_id = :account_id AND at < :at AND kind NOT IN ('reserve', 'release')

-- name: movements
SELECT id, at, kind, CASE kind WHEN 'charge' THEN -amount ELSE amount END, message_id, step, connector, other_id,
       note
  FROM ledger
 WHERE account_id = :account_id AND (at, id) > (:at, :last) AND at < :until
   AND kind NOT IN ('reserve', 'release') AND kind <> 'cost'
 ORDER BY at, id LIMIT :n

-- name: by_hand
SELECT id, at, kind, amount, message_id, step, connector, other_id, note FROM ledger
 WHERE account_id = :account_id AND message_id IS NULL AND at >= :since AND (at, id) < (:at, :id)
 ORDER BY at DESC, id DESC LIMIT :n

-- name: balance
SELECT balance FROM accounts WHERE id = :id

-- name: moved_in_hours
SELECT hour, kind, detail, n FROM tallies
 WHERE account_id = :account_id AND hour >= :since AND kind IN ('spent', 'commission') ORDER BY hour

-- name: moved_by_messages
-- Whether there is any: the first row of the index tells.
SELECT 1 FROM ledger WHERE account_id = :account_id AND at >= :since AND at < :until
   AND kind NOT IN ('reserve', 'release') AND message_id IS NOT NULL AND kind <> 'cost' LIMIT 1

-- name: margins
SELECT account_id, connector, sum(CASE kind WHEN 'charge' THEN 1 ELSE 0 END),
       sum(CASE kind WHEN 'charge' THEN amount ELSE 0 END), sum(CASE kind WHEN 'commission' THEN amount ELSE 0 END),
       sum(CASE kind WHEN 'refund' THEN amount ELSE 0 END), sum(CASE kind WHEN 'cost' THEN amount ELSE 0 END)
  FROM ledger
 WHERE account_id IN (SELECT id FROM accounts) AND at >= :since AND at < :until
   AND kind NOT IN ('reserve', 'release') AND message_id IS NOT NULL
 GROUP BY account_id, connector ORDER BY account_id, connector

-- name: moved_by_hand
SELECT 1 FROM ledger WHERE account_id = :account_id AND at >= :since
   AND kind NOT IN ('reserve', 'release') AND kind IN ('topup', 'adjustment') LIMIT 1

-- name: ledger_sums
SELECT a.currency, l.kind, sum(l.amount) FROM ledger l JOIN accounts a ON a.id = l.account_id
 GROUP BY a.currency, l.kind ORDER BY a.currency, l.kind

-- name: resellers
SELECT id, parent_id FROM accounts WHERE id {in ids} AND parent_id IS NOT NULL

-- name: add_to_balance
UPDATE accounts SET balance = balance + :amount WHERE id = :id

-- name: spendable
SELECT balance - reserved + credit_limit FROM accounts WHERE id = :id

-- ---- questions

-- name: statuses
SELECT id, account_id, status, status_at FROM deliveries WHERE id {in ids}

-- name: latest_deliveries
-- The name is looked up for the rows that are told alone; a join might be planned over all messages.
SELECT id, recipient, status, state, (SELECT viber_sender FROM messages WHERE messages.id = deliveries.id)
  FROM deliveries WHERE id > :after ORDER BY id DESC LIMIT :n

-- name: story
SELECT id, account_id, accepted_at, send_at, recipient, sms_sender, sms, viber_sender, viber,
       (SELECT status_at FROM deliveries WHERE deliveries.id = messages.id),
       (SELECT state FROM deliveries WHERE deliveries.id = messages.id)
  FROM messages WHERE id = :id

-- ---- looking through messages: search.py

-- name: message_from
SELECT id, accepted_at FROM messages WHERE id >= :id ORDER BY id LIMIT 1

-- name: message_of
SELECT id FROM messages WHERE id = :id AND id < :before AND :account_id IN (0, account_id)

-- name: messages_before
SELECT id FROM messages WHERE id < :before ORDER BY id DESC LIMIT :n

-- name: messages_of_before
SELECT id FROM messages WHERE account_id = :account_id AND id < :before ORDER BY id DESC LIMIT :n

-- name: fitting
-- Texts and states are told where the rest fits and somebody has to look into them. Deliveries are looked up for
-- these rows alone; a join might be planned over all messages.
SELECT id, CASE WHEN :with_texts = 1 THEN sms END, CASE WHEN :with_texts = 1 THEN viber END,
       CASE WHEN :with_state = 1 THEN (SELECT state FROM deliveries WHERE deliveries.id = messages.id) END
  FROM messages
 WHERE id {in ids} AND accepted_at >= :since AND accepted_at < :until
   AND (:any_number = 1 OR recipient {in numbers} OR recipient LIKE :ending OR recipient LIKE :forgotten)
   AND (:sender = '' OR lower(:sender) = lower(sms_sender) OR lower(:sender) = lower(viber_sender))
   AND (:any_status = 1 OR (SELECT status FROM deliveries WHERE deliveries.id = messages.id) {in statuses})
 ORDER BY id DESC

-- name: messages_among
SELECT id, account_id, accepted_at, send_at, recipient, sms_sender, sms, viber_sender, viber,
       (SELECT status_at FROM deliveries WHERE deliveries.id = messages.id),
       (SELECT state FROM deliveries WHERE deliveries.id = messages.id)
  FROM messages WHERE id {in ids} ORDER BY id DESC

-- name: moved_among
SELECT message_id, account_id, kind, sum(amount) FROM ledger
 WHERE message_id {in ids} AND kind IN ('reserve', 'charge', 'release', 'refund')
 GROUP BY message_id, account_id, kind

-- ---- one message

-- name: events_of
SELECT at, step, part, what, status, code, detail, handed_at FROM events WHERE message_id = :id ORDER BY id

-- name: payments_of
SELECT at, kind, amount, step FROM ledger WHERE message_id = :id ORDER BY id

-- name: receipts_of
SELECT received_at, connector, provider_id, outcome, code, raw FROM receipts WHERE message_id = :id ORDER BY id

-- name: probe
UPDATE counters SET value = value + 1 WHERE name = 'probe'

-- name: unfinished
SELECT count(*), min(due_at) FROM deliveries WHERE due_at IS NOT NULL AND due_at <= :now

-- name: due_on
SELECT count(*) FROM (SELECT id FROM deliveries WHERE connector = :connector AND due_at <= :now LIMIT :n) AS due

-- name: unfinished_by_connector
SELECT connector, count(*), min(due_at) FROM deliveries WHERE due_at IS NOT NULL AND due_at <= :now
 GROUP BY connector ORDER BY connector

-- name: count_by_status
SELECT status, count(*) FROM deliveries GROUP BY status ORDER BY status

-- ---- what waits for the operator, and what he should know

-- name: create_hold
INSERT INTO holds (message_id, account_id, at, reason) VALUES (:message_id, :account_id, :at, :reason)

-- name: drop_hold
DELETE FROM holds WHERE message_id = :message_id

-- name: list_holds
SELECT h.message_id, h.account_id, h.at, h.reason, d.recipient FROM holds h JOIN deliveries d ON d.id = h.message_id
 WHERE h.message_id > :after AND :account_id IN (0, h.account_id)
   AND :block IN ('', substr(d.recipient, 1, length(d.recipient) - 3))
 ORDER BY h.message_id LIMIT :n

-- name: give_notice
INSERT INTO notices (at, account_id, kind, period, detail) VALUES (:at, :account_id, :kind, :period, :detail)
ON CONFLICT DO NOTHING

-- name: latest_notices
SELECT id, at, account_id, kind, period, detail FROM notices
 WHERE :account_id IN (0, account_id) ORDER BY id DESC LIMIT :n

-- name: notices_after
SELECT n.id, n.at, n.account_id, n.kind, n.period, n.detail,
       a.id, a.login, a.balance, a.reserved, a.credit_limit, a.currency, a.home_country, a.time_zone,
       a.any_sender, a.transactional, a.charge_sms_on, a.status, a.parent_id, p.status, p.plan, a.customer,
       a.contact, a.language, a.api, a.plan, a.limits, a.low_balance, a.operator, a.email, a.theme, a.mailed
  FROM notices n JOIN accounts a ON a.id = n.account_id LEFT JOIN accounts p ON p.id = a.parent_id
 WHERE n.id > :after ORDER BY n.id LIMIT :n

-- ---- mail

-- name: create_mail
INSERT INTO mails (at, due_at, tries, recipient, subject, body)
VALUES (:at, :due_at, :tries, :recipient, :subject, :body)

-- name: mail_waits
SELECT 1 FROM counters WHERE name = :name AND
    (EXISTS (SELECT 1 FROM mails WHERE due_at <= :now) OR EXISTS (SELECT 1 FROM notices WHERE id > value))

-- name: due_mails
SELECT id, at, tries, recipient, subject, body FROM mails WHERE due_at <= :now
 ORDER BY due_at, id LIMIT :n {skip_locked}

-- name: lease_mail
UPDATE mails SET due_at = :due_at, tries = tries + 1 WHERE id = :id

-- name: put_off_mail
UPDATE mails SET due_at = :due_at WHERE id = :id

-- name: drop_mails
DELETE FROM mails WHERE id {in ids}

-- ---- registrations

-- name: put_registration
INSERT INTO registrations (email, customer, password_hash, language, at)
VALUES (:email, :customer, :password_hash, :language, :at)
ON CONFLICT (email) DO UPDATE SET customer = excluded.customer, password_hash = excluded.password_hash,
    language = excluded.language, at = excluded.at WHERE registrations.confirmed_at IS NULL

-- name: registration
SELECT email, customer, password_hash, language, at, confirmed_at FROM registrations WHERE email = :email

-- name: hold_registration
SELECT email, customer, password_hash, language, at, confirmed_at FROM registrations WHERE email = :email
{for_update}

-- name: waiting_registrations
SELECT email, customer, password_hash, language, at, confirmed_at FROM registrations
 WHERE confirmed_at IS NOT NULL ORDER BY confirmed_at, email LIMIT :n

-- name: confirm_registration
UPDATE registrations SET confirmed_at = :now WHERE email = :email

-- name: drop_registration
DELETE FROM registrations WHERE email = :email

-- ---- the directory: accounts, keys, sender names, prices

-- name: create_account
INSERT INTO accounts (login, password_hash, balance, reserved, credit_limit, currency, home_country, time_zone,
                      any_sender, transactional, charge_sms_on, status, created_at, parent_id, customer, contact,
                      language, api, plan, limits, low_balance, operator, email, theme, mailed)
VALUES (:login, :password_hash, 0, 0, :credit_limit, :currency, :home_country, :time_zone,
        :any_sender, :transactional, :charge_sms_on, :status, :created_at, :parent_id, :customer, :contact,
        :language, :api, :plan, :limits, :low_balance, :operator, :email, :theme, :mailed)
ON CONFLICT DO NOTHING RETURNING id

-- name: accounts
SELECT a.id, a.login, a.balance, a.reserved, a.credit_limit, a.currency, a.home_country, a.time_zone,
       a.any_sender, a.transactional, a.charge_sms_on, a.status, a.parent_id, p.status, p.plan, a.customer,
       a.contact, a.language, a.api, a.plan, a.limits, a.low_balance, a.operator, a.email, a.theme, a.mailed
  FROM accounts a LEFT JOIN accounts p ON p.id = a.parent_id ORDER BY a.id

-- name: account_by_id
SELECT a.id, a.login, a.balance, a.reserved, a.credit_limit, a.currency, a.home_country, a.time_zone,
       a.any_sender, a.transactional, a.charge_sms_on, a.status, a.parent_id, p.status, p.plan, a.customer,
       a.contact, a.language, a.api, a.plan, a.limits, a.low_balance, a.operator, a.email, a.theme, a.mailed
  FROM accounts a LEFT JOIN accounts p ON p.id = a.parent_id WHERE a.id = :id

-- name: accounts_among
SELECT a.id, a.login, a.balance, a.reserved, a.credit_limit, a.currency, a.home_country, a.time_zone,
       a.any_sender, a.transactional, a.charge_sms_on, a.status, a.parent_id, p.status, p.plan, a.customer,
       a.contact, a.language, a.api, a.plan, a.limits, a.low_balance, a.operator, a.email, a.theme, a.mailed
  FROM accounts a LEFT JOIN accounts p ON p.id = a.parent_id WHERE a.id {in ids}

-- name: accounts_page
-- Of letters beyond ASCII not every database knows the capital ones: a customer is found in three spellings.
SELECT a.id, a.login, a.balance, a.reserved, a.credit_limit, a.currency, a.home_country, a.time_zone,
       a.any_sender, a.transactional, a.charge_sms_on, a.status, a.parent_id, p.status, p.plan, a.customer,
       a.contact, a.language, a.api, a.plan, a.limits, a.low_balance, a.operator, a.email, a.theme, a.mailed
  FROM accounts a LEFT JOIN accounts p ON p.id = a.parent_id
 WHERE a.id < :before AND :status IN (-1, a.status)
   AND (:words = '%' OR a.id = :id OR lower(a.login) LIKE :words ESCAPE '!' OR a.email LIKE :words ESCAPE '!'
        OR lower(a.customer) LIKE :words ESCAPE '!' OR a.customer LIKE :typed ESCAPE '!'
        OR a.customer LIKE :title ESCAPE '!' OR a.customer LIKE :capital ESCAPE '!')
 ORDER BY a.id DESC LIMIT :n

-- name: sub_accounts
SELECT a.id, a.login, a.balance, a.reserved, a.credit_limit, a.currency, a.home_country, a.time_zone,
       a.any_sender, a.transactional, a.charge_sms_on, a.status, a.parent_id, p.status, p.plan, a.customer,
       a.contact, a.language, a.api, a.plan, a.limits, a.low_balance, a.operator, a.email, a.theme, a.mailed
  FROM accounts a LEFT JOIN accounts p ON p.id = a.parent_id
 WHERE a.parent_id = :parent_id AND a.id < :before ORDER BY a.id DESC LIMIT :n

-- name: logins
SELECT id, login FROM accounts WHERE id {in ids}

-- name: account_by_login
SELECT a.id, a.login, a.balance, a.reserved, a.credit_limit, a.currency, a.home_country, a.time_zone,
       a.any_sender, a.transactional, a.charge_sms_on, a.status, a.parent_id, p.status, p.plan, a.customer,
       a.contact, a.language, a.api, a.plan, a.limits, a.low_balance, a.operator, a.email, a.theme, a.mailed,
       a.password_hash, a.api_password, a.totp, a.totp_step
  FROM accounts a LEFT JOIN accounts p ON p.id = a.parent_id WHERE a.login = :login

-- name: account_by_email
SELECT a.id, a.login, a.balance, a.reserved, a.credit_limit, a.currency, a.home_country, a.time_zone,
       a.any_sender, a.transactional, a.charge_sms_on, a.status, a.parent_id, p.status, p.plan, a.customer,
       a.contact, a.language, a.api, a.plan, a.limits, a.low_balance, a.operator, a.email, a.theme, a.mailed,
       a.password_hash, a.api_password, a.totp, a.totp_step
  FROM accounts a LEFT JOIN accounts p ON p.id = a.parent_id WHERE a.email = :email AND a.email <> ''

-- name: first_operator
SELECT id FROM accounts WHERE operator = 1 AND status <> :closed LIMIT 1

-- name: is_known
-- Whether an address is somebody's already, by whatever of the two he signs in with.
SELECT 1 FROM accounts WHERE login = :email OR email = :email
UNION ALL SELECT 1 FROM registrations WHERE email = :email AND confirmed_at IS NOT NULL

-- name: account_by_key
SELECT a.id, a.login, a.balance, a.reserved, a.credit_limit, a.currency, a.home_country, a.time_zone,
       a.any_sender, a.transactional, a.charge_sms_on, a.status, a.parent_id, p.status, p.plan, a.customer,
       a.contact, a.language, a.api, a.plan, a.limits, a.low_balance, a.operator, a.email, a.theme, a.mailed,
       k.id, k.account_id, k.prefix, k.name, k.created_at, k.revoked_at, k.scopes, k.addresses, k.post_only,
       k.expires_at, k.used_at, k.in_url_at, k.replaces
  FROM api_keys k JOIN accounts a ON a.id = k.account_id LEFT JOIN accounts p ON p.id = a.parent_id
 WHERE k.digest = :digest AND k.revoked_at IS NULL

-- name: account_by_session
-- The query of each page: who is signed in.
SELECT a.id, a.login, a.balance, a.reserved, a.credit_limit, a.currency, a.home_country, a.time_zone,
       a.any_sender, a.transactional, a.charge_sms_on, a.status, a.parent_id, p.status, p.plan, a.customer,
       a.contact, a.language, a.api, a.plan, a.limits, a.low_balance, a.operator, a.email, a.theme, a.mailed,
       s.digest, s.account_id, s.operator_id, s.created_at, s.seen_at, s.proved_at, s.origin, s.agent, a.totp <> ''
  FROM sessions s JOIN accounts a ON a.id = s.account_id LEFT JOIN accounts p ON p.id = a.parent_id
 WHERE s.digest = :digest
   AND (s.operator_id IS NULL
        OR EXISTS (SELECT 1 FROM accounts o WHERE o.id = s.operator_id AND o.operator = 1 AND o.status = 1))

-- name: set_account
UPDATE accounts SET credit_limit = :credit_limit, home_country = :home_country, time_zone = :time_zone,
       any_sender = :any_sender, transactional = :transactional, charge_sms_on = :charge_sms_on,
       status = :status, customer = :customer, contact = :contact, language = :language, api = :api,
       plan = :plan, limits = :limits, low_balance = :low_balance, operator = :operator, email = :email,
       theme = :theme, mailed = :mailed
 WHERE id = :id

-- name: create_session
INSERT INTO sessions (digest, account_id, operator_id, created_at, seen_at, proved_at, origin, agent)
VALUES (:digest, :account_id, :operator_id, :now, :now, :proved_at, :origin, :agent)

-- name: sessions_of
SELECT digest, account_id, operator_id, created_at, seen_at, proved_at, origin, agent FROM sessions
 WHERE account_id = :account_id AND operator_id IS NULL ORDER BY seen_at DESC, digest

-- name: session_seen
UPDATE sessions SET seen_at = :at WHERE digest = :digest

-- name: session_proved
UPDATE sessions SET proved_at = :at WHERE digest = :digest

-- name: end_sessions
DELETE FROM sessions WHERE account_id = :account_id AND digest {in digests}

-- name: end_other_sessions
DELETE FROM sessions WHERE account_id = :account_id AND digest <> :but

-- name: end_old_sessions
DELETE FROM sessions WHERE seen_at <= :idle_since OR created_at <= :created_before

-- name: set_email
UPDATE accounts SET email = :email WHERE id = :id AND email = :before

-- name: set_password
UPDATE accounts SET password_hash = :hash WHERE id = :id

-- name: replace_password
UPDATE accounts SET password_hash = :after WHERE id = :id AND password_hash = :before

-- name: set_api_password
UPDATE accounts SET api_password = :hash WHERE id = :id

-- name: set_totp
UPDATE accounts SET totp = :sealed, totp_step = :step WHERE id = :id

-- name: use_code
UPDATE accounts SET totp_step = :step WHERE id = :id AND totp_step < :step

-- name: drop_recovery_codes
DELETE FROM recovery_codes WHERE account_id = :account_id

-- name: create_recovery_code
INSERT INTO recovery_codes (account_id, digest) VALUES (:account_id, :digest)

-- name: use_recovery_code
UPDATE recovery_codes SET used_at = :now
 WHERE account_id = :account_id AND digest = :digest AND used_at IS NULL

-- name: recovery_codes_left
SELECT count(*) FROM recovery_codes WHERE account_id = :account_id AND used_at IS NULL

-- name: sender_names
SELECT account_id, name, channel, connector, state, note, changed_at FROM senders
 ORDER BY account_id, name, channel, connector

-- name: sender_names_of
SELECT account_id, name, channel, connector, state, note, changed_at FROM senders
 WHERE account_id = :account_id ORDER BY name, channel, connector

-- name: sender_names_in
SELECT account_id, name, channel, connector, state, note, changed_at FROM senders
 WHERE state = :state ORDER BY changed_at, account_id, name, channel, connector LIMIT :n

-- name: put_sender
INSERT INTO senders (account_id, name, channel, connector, state, note, changed_at)
VALUES (:account_id, :name, :channel, :connector, :state, :note, :changed_at)
ON CONFLICT (account_id, name, channel, connector)
DO UPDATE SET state = excluded.state, note = excluded.note, changed_at = excluded.changed_at

-- name: ask_for_sender
-- One that is there stays as it is, but for one that was refused.
INSERT INTO senders (account_id, name, channel, connector, state, note, changed_at)
VALUES (:account_id, :name, :channel, :connector, :state, :note, :changed_at)
ON CONFLICT (account_id, name, channel, connector)
DO UPDATE SET state = excluded.state, note = excluded.note, changed_at = excluded.changed_at
 WHERE senders.state = 'refused'

-- name: withdraw_sender
DELETE FROM senders WHERE account_id = :account_id AND name = :name AND channel = :channel
   AND connector = '' AND state <> 'approved' RETURNING state

-- name: remove_sender
DELETE FROM senders WHERE account_id = :account_id AND name = :name AND channel = :channel
   AND connector = :connector RETURNING state

-- name: create_key
INSERT INTO api_keys (account_id, digest, prefix, name, created_at, scopes, addresses, post_only, expires_at,
                      replaces)
VALUES (:account_id, :digest, :prefix, :name, :created_at, :scopes, :addresses, :post_only, :expires_at,
        :replaces)
RETURNING id

-- name: keys
SELECT id, account_id, prefix, name, created_at, revoked_at, scopes, addresses, post_only, expires_at, used_at,
       in_url_at, replaces
  FROM api_keys ORDER BY id

-- name: keys_of
SELECT id, account_id, prefix, name, created_at, revoked_at, scopes, addresses, post_only, expires_at, used_at,
       in_url_at, replaces
  FROM api_keys WHERE account_id = :account_id ORDER BY id

-- name: revoke_key
UPDATE api_keys SET revoked_at = :now
 WHERE id = :id AND :account_id IN (0, account_id) AND revoked_at IS NULL

-- name: hold_key
SELECT id, account_id, prefix, name, created_at, revoked_at, scopes, addresses, post_only, expires_at, used_at,
       in_url_at, replaces
  FROM api_keys WHERE id = :id AND :account_id IN (0, account_id) {for_update}

-- name: keys_beside
SELECT id, account_id, prefix, name, created_at, revoked_at, scopes, addresses, post_only, expires_at, used_at,
       in_url_at, replaces
  FROM api_keys WHERE replaces = :id OR id = :replaces ORDER BY id

-- name: end_key
UPDATE api_keys SET expires_at = :at WHERE id = :id

-- name: keys_used
UPDATE api_keys SET used_at = :at WHERE id {in ids} AND (used_at IS NULL OR used_at < :at)

-- name: keys_in_url
UPDATE api_keys SET in_url_at = :at WHERE id {in ids} AND (in_url_at IS NULL OR in_url_at < :at)

-- name: put_tariff
INSERT INTO tariffs (list, channel, type, prefix, valid_from, price)
VALUES (:list, :channel, :type, :prefix, :valid_from, :price)
ON CONFLICT (list, channel, type, prefix, valid_from) DO UPDATE SET price = excluded.price

-- name: remove_tariff
DELETE FROM tariffs WHERE list = :list AND channel = :channel AND type = :type AND prefix = :prefix
   AND valid_from = :valid_from

-- name: tariffs
SELECT list, channel, type, prefix, valid_from, price FROM tariffs
 ORDER BY list, channel, type, prefix, valid_from

-- name: routes
SELECT channel, prefix, route FROM routes ORDER BY channel, prefix

-- name: put_route
INSERT INTO routes (channel, prefix, route) VALUES (:channel, :prefix, :route)
ON CONFLICT (channel, prefix) DO UPDATE SET route = excluded.route

-- name: remove_route
DELETE FROM routes WHERE channel = :channel AND prefix = :prefix

-- name: hold_audit
SELECT value FROM counters WHERE name = 'audit' {for_update}

-- name: move_audit
UPDATE counters SET value = :id WHERE name = 'audit'

-- name: audit_digest
SELECT digest FROM audit WHERE id = :id

-- name: create_audit
INSERT INTO audit (at, actor, origin, action, object, before, after, digest)
VALUES (:at, :actor, :origin, :action, :object, :before, :after, :digest) RETURNING id

-- name: audit_entries
SELECT id, at, actor, origin, action, object, before, after, digest FROM audit
 WHERE id < :before AND (:object IN ('', object) OR object LIKE :below ESCAPE '!') AND actor LIKE :actor ESCAPE '!'
 ORDER BY id DESC LIMIT :n

-- name: audit_page
SELECT id, at, actor, origin, action, object, before, after, digest FROM audit
 WHERE id > :after ORDER BY id LIMIT :n

-- name: directory_version
SELECT value FROM counters WHERE name = 'directory'

-- name: raise_directory_version
UPDATE counters SET value = value + 1 WHERE name = 'directory'

-- ---- what comes in

-- name: hold_incoming
SELECT value FROM counters WHERE name = 'incoming' {for_update}

-- name: parts_from
SELECT sender, recipient, connector, reference, parts, part, since, joined, data_coding, national,
       payload
  FROM incoming_parts WHERE sender {in senders}

-- name: old_parts
SELECT sender, recipient, connector, reference, parts, part, since, joined, data_coding, national,
       payload
  FROM incoming_parts WHERE since < :before ORDER BY since

-- name: create_part
INSERT INTO incoming_parts (sender, recipient, connector, reference, parts, part, since, joined, data_coding,
                            national, payload)
VALUES (:sender, :recipient, :connector, :reference, :parts, :part, :since, :joined, :data_coding,
        :national, :payload)

-- name: forget_parts
DELETE FROM incoming_parts
 WHERE sender = :sender AND recipient = :recipient AND connector = :connector AND reference = :reference
   AND parts = :parts

-- name: forget_old_parts
DELETE FROM incoming_parts WHERE since < :before

-- name: create_incoming
INSERT INTO inbox (received_at, connector, sender, recipient, text, account_id)
VALUES (:received_at, :connector, :sender, :recipient, :text, :account_id)

-- name: latest_incoming
SELECT id, received_at, connector, sender, recipient, text, account_id FROM inbox
 WHERE id < :before ORDER BY id DESC LIMIT :n

-- name: latest_incoming_of
SELECT id, received_at, connector, sender, recipient, text, account_id FROM inbox
 WHERE account_id = :account_id AND id < :before ORDER BY id DESC LIMIT :n

-- name: own_number
INSERT INTO numbers (number, account_id) VALUES (:number, :account_id) ON CONFLICT DO NOTHING

-- name: disown_number
DELETE FROM numbers WHERE number = :number

-- name: own_numbers
SELECT number, account_id FROM numbers ORDER BY number

-- name: own_numbers_of
SELECT number FROM numbers WHERE account_id = :account_id ORDER BY number

-- name: owners
SELECT number, account_id FROM numbers WHERE number {in numbers}

-- name: stop
INSERT INTO stop_list (account_id, number, at, note) VALUES (:account_id, :number, :at, :note)
ON CONFLICT DO NOTHING

-- name: unstop
DELETE FROM stop_list WHERE account_id = :account_id AND number = :number

-- name: stopped
SELECT number, at, note FROM stop_list WHERE account_id = :account_id AND (at, number) < (:at, :number)
 ORDER BY at DESC, number DESC LIMIT :n

-- name: stopped_page
SELECT number, at, note FROM stop_list WHERE account_id = :account_id AND number > :after
 ORDER BY number LIMIT :n

-- name: stopped_from
SELECT number, at, note FROM stop_list WHERE account_id = :account_id AND number >= :first AND number < :until
 ORDER BY number LIMIT :n

-- name: stop_lists
SELECT account_id, number, at, note FROM stop_list
 WHERE (number, account_id) > (:after, :after_id) ORDER BY number, account_id LIMIT :n

-- name: stop_lists_with
SELECT account_id, number, at, note FROM stop_list WHERE number = :number ORDER BY account_id LIMIT :n

-- ---- connectors

-- name: pause_connector
INSERT INTO connectors (name, paused, changed_at) VALUES (:name, :paused, :now)
ON CONFLICT (name) DO UPDATE SET paused = excluded.paused, changed_at = excluded.changed_at

-- name: trace_connector
INSERT INTO connectors (name, paused, trace, changed_at) VALUES (:name, 0, :trace, :now)
ON CONFLICT (name) DO UPDATE SET trace = excluded.trace, changed_at = excluded.changed_at

-- name: connector_orders
SELECT name, paused, trace FROM connectors

-- name: create_connector_state
INSERT INTO connector_states (connector, worker, at, state) VALUES (:connector, :worker, :at, :state)

-- name: connector_states
SELECT connector, worker, at, state FROM connector_states WHERE at >= :since ORDER BY connector, worker

-- name: forget_states_of
DELETE FROM connector_states WHERE worker = :worker

-- name: forget_states
DELETE FROM connector_states WHERE at < :before

-- name: add_minute
INSERT INTO connector_minutes (connector, minute, submitted, taken, refused, throttled, unknown, receipts,
                               latency_ms, down)
VALUES (:connector, :minute, :submitted, :taken, :refused, :throttled, :unknown, :receipts, :latency_ms, :down)
ON CONFLICT (connector, minute) DO UPDATE
SET submitted = connector_minutes.submitted + excluded.submitted,
    taken = connector_minutes.taken + excluded.taken, refused = connector_minutes.refused + excluded.refused,
    throttled = connector_minutes.throttled + excluded.throttled,
    unknown = connector_minutes.unknown + excluded.unknown,
    receipts = connector_minutes.receipts + excluded.receipts,
    latency_ms = CASE WHEN connector_minutes.latency_ms >= excluded.latency_ms THEN connector_minutes.latency_ms
                      ELSE coalesce(excluded.latency_ms, connector_minutes.latency_ms) END,
    down = CASE WHEN excluded.down = 1 THEN 1 ELSE connector_minutes.down END

-- name: minutes
SELECT connector, minute, submitted, taken, refused, throttled, unknown, receipts, latency_ms, down
  FROM connector_minutes WHERE minute >= :since AND :connector IN ('', connector) ORDER BY minute, connector

-- name: forget_minutes
DELETE FROM connector_minutes WHERE minute < :before

-- ---- fsck: each row returned is a fault

-- name: fsck_balance
SELECT a.id, a.login, a.balance,
       coalesce(sum(CASE WHEN l.kind = 'charge' THEN -l.amount
                         WHEN l.kind NOT IN ('reserve', 'release', 'cost') THEN l.amount END), 0)
  FROM accounts a LEFT JOIN ledger l ON l.account_id = a.id
 GROUP BY a.id, a.login, a.balance
HAVING a.balance <> coalesce(sum(CASE WHEN l.kind = 'charge' THEN -l.amount
                                      WHEN l.kind NOT IN ('reserve', 'release', 'cost') THEN l.amount END), 0)

-- name: fsck_reserved
SELECT a.id, a.login, a.reserved, coalesce(sum(CASE l.kind WHEN 'reserve' THEN l.amount
                                                           WHEN 'charge' THEN -l.amount
                                                           WHEN 'release' THEN -l.amount END), 0)
  FROM accounts a LEFT JOIN ledger l ON l.account_id = a.id
 GROUP BY a.id, a.login, a.reserved
HAVING a.reserved <> coalesce(sum(CASE l.kind WHEN 'reserve' THEN l.amount
                                              WHEN 'charge' THEN -l.amount
                                              WHEN 'release' THEN -l.amount END), 0)

-- name: fsck_limit
SELECT id, login, balance - reserved + credit_limit FROM accounts WHERE balance - reserved + credit_limit < 0

-- name: fsck_steps
-- A step that was charged and released more than was reserved for it.
SELECT message_id, step,
       sum(CASE kind WHEN 'reserve' THEN amount ELSE 0 END),
       sum(CASE kind WHEN 'reserve' THEN 0 ELSE amount END)
  FROM ledger WHERE message_id IS NOT NULL AND kind IN ('reserve', 'charge', 'release') GROUP BY message_id, step
HAVING sum(CASE kind WHEN 'reserve' THEN amount ELSE 0 END) < sum(CASE kind WHEN 'reserve' THEN 0 ELSE amount END)

-- name: fsck_refunds
-- A step of which more was given back than was charged, or of which the reseller has got more than that.
SELECT message_id, step, sum(CASE kind WHEN 'charge' THEN amount ELSE 0 END),
       sum(CASE kind WHEN 'refund' THEN amount ELSE 0 END), sum(CASE kind WHEN 'commission' THEN amount ELSE 0 END)
  FROM ledger WHERE message_id IS NOT NULL AND kind IN ('charge', 'refund', 'commission')
 GROUP BY message_id, step
HAVING sum(CASE kind WHEN 'charge' THEN amount ELSE 0 END) < sum(CASE kind WHEN 'refund' THEN amount ELSE 0 END)
    OR sum(CASE kind WHEN 'charge' THEN amount ELSE 0 END) < sum(CASE kind WHEN 'commission' THEN amount ELSE 0 END)

-- name: fsck_transfers
-- What one account gives, another one gets.
SELECT sum(amount) FROM ledger WHERE kind = 'transfer' HAVING sum(amount) <> 0

-- name: fsck_stuck
-- Not final, and nothing will ever happen to it; but for what was sent where nobody reports, and has ended so.
SELECT id, account_id, recipient, status_at, worker, state FROM deliveries
 WHERE status <= 2 AND due_at IS NULL AND timer_at IS NULL

-- name: fsck_kept
-- Final with nothing under way, and money still reserved.
SELECT l.message_id, sum(CASE l.kind WHEN 'reserve' THEN l.amount ELSE -l.amount END)
  FROM ledger l JOIN deliveries d ON d.id = l.message_id
 WHERE d.status > 2 AND d.timer_at IS NULL AND l.kind IN ('reserve', 'charge', 'release')
 GROUP BY l.message_id HAVING sum(CASE l.kind WHEN 'reserve' THEN l.amount ELSE -l.amount END) <> 0

-- name: fsck_holds
-- Waits for the operator's decision, and is not held.
SELECT h.message_id, h.account_id FROM holds h LEFT JOIN deliveries d ON d.id = h.message_id
 WHERE d.id IS NULL OR d.status > 0 OR d.due_at IS NOT NULL OR d.timer_at IS NULL

-- name: fsck_orphans
SELECT d.id FROM deliveries d LEFT JOIN messages m ON m.id = d.id WHERE m.id IS NULL
UNION ALL
SELECT m.id FROM messages m LEFT JOIN deliveries d ON d.id = m.id WHERE d.id IS NULL
UNION ALL
SELECT l.message_id FROM ledger l LEFT JOIN deliveries d ON d.id = l.message_id
 WHERE l.message_id IS NOT NULL AND d.id IS NULL
UNION ALL
SELECT e.message_id FROM events e LEFT JOIN deliveries d ON d.id = e.message_id WHERE d.id IS NULL

-- ---- forgetting

-- name: hold_series
SELECT value FROM counters WHERE name = :name {skip_locked}

-- name: move_series
UPDATE counters SET value = :value WHERE name = :name

-- name: oldest_messages
SELECT id, accepted_at FROM messages WHERE id > :after ORDER BY id LIMIT :n

-- name: not_forgotten
SELECT message_id FROM not_forgotten WHERE what = :what AND message_id > :after ORDER BY message_id LIMIT :n

-- name: not_yet_forgotten
INSERT INTO not_forgotten (what, message_id) VALUES (:what, :message_id) ON CONFLICT DO NOTHING

-- name: now_forgotten
DELETE FROM not_forgotten WHERE what = :what AND message_id = :message_id

-- name: held_among
SELECT message_id FROM holds WHERE message_id {in ids}

-- name: forget_texts
UPDATE messages SET sms = NULL, viber = NULL WHERE id {in ids} RETURNING id

-- name: forget_recipient
UPDATE messages SET recipient = :recipient WHERE id = :id

-- name: rewrite_delivery
UPDATE deliveries SET recipient = :recipient, state = :state WHERE id = :id

-- name: forget_raw_receipts
UPDATE receipts SET raw = '' WHERE message_id {in ids} AND raw <> '' RETURNING id

-- name: codes_of_receipts
SELECT id, message_id, recipient, code FROM receipts WHERE message_id {in ids}

-- name: rewrite_receipt
UPDATE receipts SET recipient = :recipient, code = :code WHERE id = :id

-- name: codes_of_events
SELECT id, message_id, code FROM events WHERE message_id {in ids} AND code <> ''

-- name: rewrite_event
UPDATE events SET code = :code WHERE id = :id

-- name: textless_among
SELECT id FROM messages WHERE id {in ids} AND sms IS NULL AND viber IS NULL

-- name: oldest_incoming
SELECT id, received_at, sender FROM inbox WHERE id > :after ORDER BY id LIMIT :n

-- name: forget_incoming_texts
UPDATE inbox SET text = '' WHERE id {in ids} RETURNING id

-- name: rename_sender
UPDATE inbox SET sender = :sender WHERE id = :id

-- name: forget_notices
-- They have no index by time, but are as old as their ids are low.
DELETE FROM notices WHERE id < (SELECT min(id) + 1000 FROM notices) AND at < :before

-- ---- what is sealed

-- name: sealed_totps
SELECT id, totp FROM accounts WHERE totp <> '' ORDER BY id

-- name: reseal_totp
UPDATE accounts SET totp = :sealed WHERE id = :id AND totp = :before

-- ---- one number

-- name: newest_message
SELECT coalesce(max(id), 0) FROM messages

-- name: messages_to
SELECT id FROM messages WHERE id > :after AND id <= :until AND recipient {in names} ORDER BY id

-- name: newest_incoming
SELECT coalesce(max(id), 0) FROM inbox

-- name: incoming_from
SELECT id FROM inbox WHERE id > :after AND id <= :until AND sender {in names} ORDER BY id

-- name: incoming_among
SELECT id, received_at, connector, recipient, text, account_id FROM inbox WHERE id {in ids} ORDER BY id

-- name: parts_of
SELECT since, recipient, payload FROM incoming_parts WHERE sender {in senders}

-- name: erase_parts
DELETE FROM incoming_parts WHERE sender {in senders} RETURNING part

-- name: unmatched_to
SELECT received_at, raw FROM receipts WHERE message_id IS NULL AND recipient {in recipients}

-- name: erase_unmatched
DELETE FROM receipts WHERE message_id IS NULL AND recipient {in recipients} RETURNING id

-- name: stops_of
SELECT at, account_id, note FROM stop_list WHERE number = :number

-- name: erase_stops
DELETE FROM stop_list WHERE number = :number

-- name: absence_of
SELECT until FROM no_account WHERE channel = 'viber' AND number = :number

-- name: erase_absence
DELETE FROM no_account WHERE channel = 'viber' AND number = :number

-- name: counts_of
SELECT ends_at, account_id, scope, n FROM usage WHERE ends_at >= 0 AND scope LIKE :ending

-- name: erase_counts
DELETE FROM usage WHERE ends_at >= 0 AND scope LIKE :ending

-- name: recently_to
SELECT at, account_id, message_id FROM recent WHERE at >= 0 AND number = :number

-- name: erase_recent
DELETE FROM recent WHERE at >= 0 AND number = :number

-- ---- templates

-- name: put_template
INSERT INTO templates (id, sender, language, kind, active, text)
VALUES (:id, :sender, :language, :kind, :active, :text)
ON CONFLICT (id, sender, language)
DO UPDATE SET kind = excluded.kind, active = excluded.active, text = excluded.text

-- name: templates
SELECT id, sender, language, kind, active, text FROM templates ORDER BY sender, id, language

-- name: remove_template
DELETE FROM templates
 WHERE id = :id AND :sender IN ('', sender) AND :language IN ('', language)

-- name: set_template_active
UPDATE templates SET active = :active
 WHERE id = :id AND :sender IN ('', sender) AND :language IN ('', language)

-- ---- what has happened, in numbers

-- name: add_tally
INSERT INTO tallies (account_id, hour, kind, detail, n) VALUES (:account_id, :hour, :kind, :detail, :n)
ON CONFLICT (account_id, hour, kind, detail) DO UPDATE SET n = tallies.n + excluded.n

-- name: messages_until
SELECT id, accepted_at, account_id, (SELECT status FROM deliveries WHERE deliveries.id = messages.id)
  FROM messages WHERE id <= :until ORDER BY id DESC LIMIT :n

-- name: events_until
-- With the status before, where it may have changed for the last time, and of a failure (what: timeline.What) the
-- connector that had the step then, where another one (17: rerouted) has it now. "+ 0": by the message's own index.
SELECT id, at, message_id, step, what, status, code,
       CASE WHEN status > 2 THEN (SELECT b.status FROM events b WHERE b.message_id = e.message_id AND b.id < e.id
                                   ORDER BY b.id + 0 DESC LIMIT 1) END,
       CASE WHEN what IN (3, 7, 8) THEN (SELECT r.detail FROM events r WHERE r.message_id = e.message_id
                                            AND r.id > e.id AND r.step = e.step AND r.what = 17
                                          ORDER BY r.id + 0 LIMIT 1) END
  FROM events e WHERE id <= :until ORDER BY id DESC LIMIT :n

-- name: ledger_until
SELECT id, at, account_id, kind, amount, message_id, step, connector FROM ledger
 WHERE id <= :until AND message_id IS NOT NULL ORDER BY id DESC LIMIT :n

-- name: states_among
SELECT id, account_id, recipient, status_at, worker, state FROM deliveries WHERE id {in ids}

-- name: tally_sums
SELECT kind, detail, sum(n) FROM tallies
 WHERE account_id = :account_id AND hour >= :since AND hour < :until GROUP BY kind, detail ORDER BY kind, detail

-- name: tally_sums_of_all
SELECT kind, detail, sum(n) FROM tallies
 WHERE hour >= :since AND hour < :until GROUP BY kind, detail ORDER BY kind, detail

-- name: tally_money
SELECT a.currency, t.kind, sum(t.n) FROM tallies t JOIN accounts a ON a.id = t.account_id
 WHERE t.hour >= :since AND t.kind IN ('spent', 'commission', 'cost') GROUP BY a.currency, t.kind ORDER BY a.currency

-- name: tally_hours
SELECT hour, kind, sum(n) FROM tallies
 WHERE account_id = :account_id AND hour >= :since AND hour < :until AND kind {in kinds}
 GROUP BY hour, kind ORDER BY hour

-- name: tally_hours_of_all
SELECT hour, kind, sum(n) FROM tallies
 WHERE hour >= :since AND hour < :until AND kind {in kinds} GROUP BY hour, kind ORDER BY hour

-- ---- mailings, and saved texts

-- name: create_mailing
INSERT INTO mailings (account_id, created_at, name, content, state, reason, starts_at, total, good, bad, repeated,
                      accepted, refused, parts, price, worker, lease_at, ended_at)
VALUES (:account_id, :now, :name, :content, 'reading', '', NULL, 0, 0, 0, 0, 0, 0, 0, 0, '', 0, NULL)
RETURNING id

-- name: mailing
SELECT id, account_id, created_at, name, content, state, reason, starts_at, total, good, bad, repeated, accepted,
       refused, parts, price, ended_at
  FROM mailings WHERE id = :id AND account_id = :account_id

-- name: mailings_of
SELECT id, account_id, created_at, name, content, state, reason, starts_at, total, good, bad, repeated, accepted,
       refused, parts, price, ended_at
  FROM mailings WHERE account_id = :account_id AND id < :before ORDER BY id DESC LIMIT :n

-- name: hold_mailing
SELECT id, account_id, created_at, name, content, state, reason, starts_at, total, good, bad, repeated, accepted,
       refused, parts, price, ended_at
  FROM mailings WHERE id = :id AND account_id = :account_id {for_update}

-- name: move_mailing
UPDATE mailings SET state = :state, reason = :reason, starts_at = :starts_at, ended_at = :ended_at, lease_at = 0
 WHERE id = :id

-- name: count_rows
UPDATE mailings SET total = total + :total, good = good + :good, bad = bad + :bad, repeated = repeated + :repeated,
       accepted = accepted + :accepted, refused = refused + :refused, parts = parts + :parts, price = price + :price
 WHERE id = :id

-- name: waiting_mailings
-- Those that are at work, and uploads that have broken off; the one that has waited longest first.
SELECT id, account_id FROM mailings
 WHERE ended_at IS NULL AND lease_at <= :now
   AND (state = 'checking' OR state = 'sending' AND coalesce(starts_at, 0) <= :now
        OR state = 'reading' AND created_at < :broken_off)
 ORDER BY lease_at, id LIMIT :n

-- name: lease_mailing
UPDATE mailings SET worker = :worker, lease_at = :until
 WHERE id = :id AND lease_at <= :now AND state IN ('checking', 'sending', 'reading')

-- name: leave_mailing
UPDATE mailings SET worker = '', lease_at = :until WHERE id = :id AND worker = :worker

-- name: hold_leased
SELECT id, account_id, created_at, name, content, state, reason, starts_at, total, good, bad, repeated, accepted,
       refused, parts, price, ended_at
  FROM mailings WHERE id = :id AND account_id = :account_id AND worker = :worker {for_update}

-- name: hold_sending
SELECT id, account_id FROM mailings WHERE id {in ids} AND state = 'sending' ORDER BY id {for_update}

-- name: create_mailing_row
INSERT INTO mailing_rows (mailing_id, n, line, number, fields, state, message_id, error)
VALUES (:mailing_id, :n, :line, :number, :fields, :state, :message_id, :error)

-- name: rows_in_state
SELECT n, line, number, fields, state, message_id, error FROM mailing_rows
 WHERE mailing_id = :mailing_id AND n > :after AND state {in states} ORDER BY n LIMIT :limit

-- name: rows_among
SELECT n, state, message_id FROM mailing_rows WHERE mailing_id = :mailing_id AND n {in ns}

-- name: good_numbers_among
SELECT number FROM mailing_rows WHERE number {in numbers} AND mailing_id = :mailing_id AND state = 1

-- name: mark_row
UPDATE mailing_rows SET state = :state, number = :number, error = :error WHERE mailing_id = :mailing_id AND n = :n

-- name: row_sent
UPDATE mailing_rows SET state = 4, message_id = :message_id WHERE mailing_id = :mailing_id AND n = :n

-- name: refuse_rows
UPDATE mailing_rows SET state = 5, error = :error
 WHERE mailing_id = :mailing_id AND n {in ns} AND state = 1 RETURNING n

-- name: rows_to
SELECT (SELECT created_at FROM mailings WHERE id = mailing_id),
       (SELECT account_id FROM mailings WHERE id = mailing_id), mailing_id, n, state, message_id, fields,
       error
  FROM mailing_rows WHERE number {in names} ORDER BY mailing_id, n

-- name: hold_mailings
SELECT id FROM mailings WHERE id {in ids} ORDER BY id {for_update}

-- name: erase_row
UPDATE mailing_rows SET number = :number, fields = '{}', state = :state, error = :error
 WHERE mailing_id = :mailing_id AND n = :n

-- name: old_mailings
-- What was left lying is as old as its creation; what is to be sent later is not old.
SELECT id, account_id FROM mailings
 WHERE content <> '' AND created_at < :before
   AND (ended_at < :before OR state IN ('reading', 'checking', 'ready', 'paused'))
 ORDER BY created_at LIMIT 1

-- name: drop_rows
DELETE FROM mailing_rows WHERE mailing_id = :mailing_id
   AND n <= (SELECT min(n) + :n FROM mailing_rows WHERE mailing_id = :mailing_id)

-- name: discard_mailing
DELETE FROM mailings WHERE id = :id

-- name: forget_mailing
UPDATE mailings SET content = '', state = CASE WHEN ended_at IS NULL THEN 'stopped' ELSE state END,
       ended_at = coalesce(ended_at, :now)
 WHERE id = :id

-- name: put_text
INSERT INTO texts (account_id, name, content, changed_at) VALUES (:account_id, :name, :content, :changed_at)
ON CONFLICT (account_id, name) DO UPDATE SET content = excluded.content, changed_at = excluded.changed_at

-- name: texts_of
SELECT name, content, changed_at FROM texts WHERE account_id = :account_id ORDER BY name

-- name: texts_named
SELECT name, content, changed_at FROM texts WHERE account_id = :account_id AND name {in names} ORDER BY name

-- name: remove_texts
DELETE FROM texts WHERE account_id = :account_id AND name {in names}

-- ---- the log of requests

-- name: create_request
INSERT INTO requests (at, account_id, key_id, method, command, outcome, message_id, origin, n, slowest_ms)
VALUES (:at, :account_id, :key_id, :method, :command, :outcome, :message_id, :origin, :n, :slowest_ms)

-- name: requests_of
SELECT id, at, account_id, key_id, method, command, outcome, message_id, origin, n, slowest_ms FROM requests
 WHERE account_id = :account_id AND id < :before AND :key_id IN (-1, key_id)
   AND :ok IN (-1, CASE WHEN outcome = 'ok' THEN 1 ELSE 0 END)
 ORDER BY id DESC LIMIT :n

-- name: refused_requests
SELECT id, at, account_id, key_id, method, command, outcome, message_id, origin, n, slowest_ms FROM requests
 WHERE account_id = :account_id AND id < :before AND :key_id IN (-1, key_id) AND outcome <> 'ok'
 ORDER BY id DESC LIMIT :n

-- name: forget_requests
DELETE FROM requests WHERE id IN (SELECT id FROM requests WHERE at < :before ORDER BY at LIMIT :n)

-- name: forget_registrations
DELETE FROM registrations WHERE confirmed_at IS NULL AND at < :before

-- name: forget_mails
DELETE FROM mails WHERE id < (SELECT min(id) + 1000 FROM mails) AND at < :before
