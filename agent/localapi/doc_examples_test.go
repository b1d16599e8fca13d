package localapi

// example is one call as a person makes it with curl, for local.md. TestScripts in package agent runs all of them in the
// order of the schema against a running agent, and compares the answers.
type example struct {
	what    string // what it shows: a sentence
	request string // in JSON
	answer  string // in JSON; of a stream a line for each message. What is left out can be anything, and so can "…"
}

// examples has those of each call. A call of the schema without one fails TestLocalMD: add it here, then
// go test ./agent/localapi -run LocalMD -update.
func examples() map[string][]example {
	return map[string][]example{
		"RecordPayment": {
			{
				"An authorisation of 12.50 EUR:",
				`{"payment":{"idempotencyKey":"order-17/auth","kind":"PAYMENT_KIND_AUTHORISED","authMode":"AUTH_MODE_ONLINE","amountMinor":"1250","currency":"EUR"}}`,
				`{"seq":"…","duplicate":false,"epoch":"…","authMode":"AUTH_MODE_ONLINE"}`,
			},
			{
				"The very same again, as after a time-out, is the same record:",
				`{"payment":{"idempotencyKey":"order-17/auth","kind":"PAYMENT_KIND_AUTHORISED","authMode":"AUTH_MODE_ONLINE","amountMinor":"1250","currency":"EUR"}}`,
				`{"seq":"…","duplicate":true,"epoch":"…","authMode":"AUTH_MODE_ONLINE"}`,
			},
			{
				"Another request under the same key is refused:",
				`{"payment":{"idempotencyKey":"order-17/auth","kind":"PAYMENT_KIND_AUTHORISED","authMode":"AUTH_MODE_ONLINE","amountMinor":"1300","currency":"EUR"}}`,
				`{"code":"already_exists","message":"…","details":[{"type":"stampd.v1.ErrorDetail","value":"…","debug":{"reason":"KEY_REUSED","hint":"…"}}]}`,
			},
		},
		"AwardStamps": {{
			"A stamp for a member:",
			`{"idempotencyKey":"order-17/stamps","phone":"+14155550100","paymentKey":"order-17/auth"}`,
			`{"seq":"…","duplicate":false,"card":{"progress":1,"of":9,"available":0},"epoch":"…"}`,
		}},
		"RedeemReward": {{
			"A reward for a member who has no stamps for one:",
			`{"idempotencyKey":"order-17/reward","member":{"phone":"+14155550100"}}`,
			`{"code":"failed_precondition","message":"…","details":[{"type":"stampd.v1.ErrorDetail","value":"…","debug":{"reason":"NOTHING_AVAILABLE","hint":"…"}}]}`,
		}},
		"VoidEntry": {
			{
				"The stamp from above is taken back, since the sale was refunded:",
				`{"idempotencyKey":"order-17/void","awardKey":"order-17/stamps","reason":"STAMP_REASON_REFUND"}`,
				`{"seq":"…","duplicate":false,"card":{"progress":0,"stamps":0},"epoch":"…","pending":false,"already":false}`,
			},
			{
				"Once more, with a key of its own, it does nothing:",
				`{"idempotencyKey":"order-17/void-2","awardKey":"order-17/stamps"}`,
				`{"seq":"…","card":{"stamps":0},"epoch":"…","already":true}`,
			},
		},
		"EnrolMember": {{
			"The member signs up on the terminal's screen, and wants no text messages:",
			`{"idempotencyKey":"enrol-1","phone":"+14155550100","consents":[{"purpose":"CONSENT_PURPOSE_LOYALTY","language":"en-US","method":"CONSENT_METHOD_SCREEN"}]}`,
			`{"seq":"…","card":{"of":9},"epoch":"…","already":false}`,
		}},
		"LinkCard": {{
			"A payment card is linked, by what the acquirer calls it:",
			`{"idempotencyKey":"link-1","phone":"+14155550100","token":"tok_9fK2mQ7LxT4vB1nR8sYd"}`,
			`{"seq":"…","card":{"of":9},"epoch":"…","pending":false,"already":false}`,
		}},
		"UnlinkCard": {{
			"It is unlinked again:",
			`{"idempotencyKey":"unlink-1","token":"tok_9fK2mQ7LxT4vB1nR8sYd"}`,
			`{"seq":"…","epoch":"…","already":false}`,
		}},
		"MergeMembers": {{
			"The member has a new number:",
			`{"idempotencyKey":"merge-1","member":{"phone":"+14155550100"},"other":{"phone":"+14155550101"}}`,
			`{"seq":"…","card":{"of":9},"epoch":"…","already":false}`,
		}},
		"SetConsent": {{
			"The member wants no text messages:",
			`{"idempotencyKey":"consent-1","member":{"phone":"+14155550100"},"consent":{"purpose":"CONSENT_PURPOSE_SMS_MARKETING","method":"CONSENT_METHOD_SPOKEN"},"granted":false}`,
			`{"seq":"…","card":{"of":9},"epoch":"…"}`,
		}},
		"EraseMember": {{
			"Another one is to be forgotten:",
			`{"idempotencyKey":"erase-1","member":{"phone":"+14155550199"}}`,
			`{"seq":"…","epoch":"…","already":false}`,
		}},
		"GetCard": {
			{
				"The card of that member:",
				`{"phone":"+14155550100"}`,
				`{"card":{"progress":0,"of":9,"available":0,"earned":0,"stamps":0,"asOfUnixMs":"…","offline":true},"state":"MEMBER_STATE_KNOWN","consents":"…","enrolled":true}`,
			},
			{
				"Of the one who was forgotten, nothing is known but that:",
				`{"phone":"+14155550199"}`,
				`{"state":"MEMBER_STATE_ERASED"}`,
			},
		},
		"ReportAppPerformance": {{
			"Two sales that were timed, and one that failed:",
			`{"app":"pos","version":"4.2.0","operations":[{"name":"sale","durationsUs":[181000,240500],"errors":1}]}`,
			`{"duplicate":false,"reasonMasked":false}`,
		}},
		"OfflineReadiness": {{
			"What would work if the network went now (the answer is shortened):",
			`{}`,
			`{"capabilities":[{"capability":"OFFLINE_CAPABILITY_PAYMENTS","readiness":"READINESS_DEGRADED","reasons":"…"},{"capability":"OFFLINE_CAPABILITY_STAMPS","reasons":"…"},{"capability":"OFFLINE_CAPABILITY_REDEMPTION","reasons":"…"}]}`,
		}},
		"Status": {{
			"How the agent is (the answer is shortened):",
			`{}`,
			`{"version":"…","terminalId":"…","uptimeSeconds":"…","uplink":{"state":"UPLINK_STATE_DISABLED"},"lanes":"…","queue":{"quarantined":"0","fault":""},"parts":"…"}`,
		}},
		"WatchStatus": {{
			"For a second; an application leaves the time limit out:",
			`{}`,
			`{"uplink":"UPLINK_STATE_DISABLED","ledger":{"records":"…"},"telemetry":{"records":"…"},"alarms":[]}
{"error":{"code":"deadline_exceeded","message":"…","details":[{"type":"stampd.v1.ErrorDetail","value":"…","debug":{"reason":"TIME_OVER","hint":"…"}}]}}`,
		}},
		"Flush": {{
			"An attempt now, without waiting for it:",
			`{"waitMs":0}`,
			`{"waiting":"…","complete":false}`,
		}},
		"ListQueue": {{
			"What waits (the answer is shortened):",
			`{}`,
			`{"terminalId":"…","file":{"path":"…","sizeBytes":"…","fault":""},"lanes":"…","quarantined":"0","setAside":[]}`,
		}},
		"ReadQueue": {{
			"What the backend refused:",
			`{"quarantine":true}`,
			`{"records":[]}`,
		}},
	}
}
